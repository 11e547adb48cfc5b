create table t (a int, b int);
create sequence s;
alter table t owner to pg_monitor;
alter sequence s owner to pg_monitor;
