create function f() returns bigint language sql as 'select 1::bigint';
create table t (a bigint default f(), b bigint);
create view v as select a + f() as a from t;
alter table t alter column b set default f();
