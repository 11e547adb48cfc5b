create table t (a int);
create view v as select a from t;
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before update of a on t for each row execute function f();
create policy p on t using (a = 1);
create table c (y int);
