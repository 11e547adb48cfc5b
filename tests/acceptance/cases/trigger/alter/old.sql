create table t (a int, b int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert or update of a on t for each row when (new.a > 0) execute function f('x', 'y');
comment on trigger g on t is 'gg';
