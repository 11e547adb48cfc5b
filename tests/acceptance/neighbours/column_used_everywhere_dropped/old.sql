create table t (a int, b int, constraint k check (b > 0));
create index on t (b);
create view v as select a, b from t;
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before update of b on t for each row execute function f();
create policy p on t using (b = 1);
create table c (x int generated always as (1) stored, y int);
