create table t (id integer, b varchar(10));
create table c (a integer) inherits (t);
