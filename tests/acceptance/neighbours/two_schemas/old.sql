create schema a;
create schema b;
create table a.t (id int primary key);
create table b.t (id int primary key references a.t);
create view a.v as select * from b.t;
create function a.f() returns int language sql as 'select 1';
