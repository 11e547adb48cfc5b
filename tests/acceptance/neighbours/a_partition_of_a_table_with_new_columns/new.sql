create table t (id integer, d text, c varchar(20)) partition by list (id);
create table p partition of t for values in (1);
