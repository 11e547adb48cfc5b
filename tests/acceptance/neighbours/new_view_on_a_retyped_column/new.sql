create table t (a bigint, b int);
create function f(bigint) returns int language sql as 'select 1';
create view v as select a, f(a) from t;
create materialized view m as select a from v;
create policy p on t using (a > 0);
