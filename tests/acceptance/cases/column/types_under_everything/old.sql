create function f() returns trigger language plpgsql as 'begin return new; end';
create table t (a int, b int generated always as (a + 1) stored, check (a > 0));
create policy p on t using (a = 1);
create rule r as on insert to t where new.a = 1 do nothing;
create trigger g before update of a on t for each row when (new.a > 1) execute function f();
create materialized view m as select a from t;
create unique index on m (a);
