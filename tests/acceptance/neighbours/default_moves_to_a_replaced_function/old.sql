create function f() returns int language sql as 'select 1';
create table t (a bigint default 1, b bigint);
create view v as select a from t;
