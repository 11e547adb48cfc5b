create table t (a int, b int not null, c int constraint cc not null, d int);
alter table t add constraint dn not null d not valid;
create table k (e int) inherits (t);
