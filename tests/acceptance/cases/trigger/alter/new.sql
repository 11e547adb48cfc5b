create table t (a int, b int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g after insert on t referencing new table as fresh for each statement execute function f();
alter table t enable always trigger g;
