create table t (id integer not null, a text not null, constraint above check (id > 0)) partition by list (id);
create table p partition of t default;
