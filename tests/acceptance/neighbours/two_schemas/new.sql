create schema a;
create schema b;
create table a.t (id bigint primary key);
create table b.t (id bigint primary key references a.t);
create view b.v as select * from b.t;
create view a.v as select * from b.v;
create function b.f() returns int language sql as 'select 1';
