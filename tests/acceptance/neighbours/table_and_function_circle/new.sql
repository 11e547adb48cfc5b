create table t (id int primary key);
create function f(t) returns int language sql immutable as 'select $1.id';
create function g() returns setof t language sql as 'select * from t';
alter table t add column c int default 5 check (f(row(1, 2)::t) > 0);
create table u (n bigint default (1), check (n > 0));
create view v as select g() as x;
create index on t (f(t));
