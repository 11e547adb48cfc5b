create table t (id integer not null, a text not null) partition by list (id);
create table p partition of t default;
