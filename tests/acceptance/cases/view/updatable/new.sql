create function f() returns trigger language plpgsql as 'begin return new; end';
create table t (a int);
create view v as select a + 1 as a from t;
create trigger g instead of insert on v for each row execute function f();
create rule r as on delete to v do instead nothing;
alter view v alter column a set default 3;
