create table t (a int, b int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g after insert on t for each row execute function f();
alter table t disable trigger g;
