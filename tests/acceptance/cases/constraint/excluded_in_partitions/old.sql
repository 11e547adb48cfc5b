create table t (id integer, a text) partition by list (id);
create table p partition of t default;
