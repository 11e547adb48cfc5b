create table t (id int, a int) partition by range (id);
create table t_1 partition of t for values from (10) to (20);
create policy own on t_1 using (a > 0);
create table p (id int, a int);
create table c (b int) inherits (p);
create table d (b int) inherits (c);
create policy own on c using (a > 0);
create view v as select a from d;
