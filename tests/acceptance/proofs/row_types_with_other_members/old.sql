create type place as (x int, y int);
create table a (x int, y text);
create table b (id int primary key, r a, rs a[], p place);
create view v as select (r).x from b;
