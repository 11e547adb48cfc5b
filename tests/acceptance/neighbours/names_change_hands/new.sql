create view a as select 1 as x;
create table b (x int);
create table c (x int);
create table t (i int constraint i unique);
create domain e as int;
create view m as select 2 as x;
create type d as (x int);
