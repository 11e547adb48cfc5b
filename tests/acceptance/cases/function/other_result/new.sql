create function f(b int) returns bigint language sql immutable as 'select 2::bigint';
create table t (a int default f(1), g int generated always as (f(2)) stored, check (f(a) > 0));
create index on t (f(a));
create view v as select f(a) from t;
create policy p on t using (f(a) = 1);
