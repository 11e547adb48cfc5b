create type place as (x int, y int, z int);
create table a (x int, y text, z date);
create table b (id int primary key, r a, rs a[], p place);
create view v as select (r).x, (r).z from b;
