create table t (a int, b int);
grant all on t to pg_monitor with grant option;
grant select (a) on t to pg_monitor;
create sequence s;
grant usage on s to pg_monitor;
alter table t owner to pg_read_all_data;
revoke insert on t from pg_read_all_data;
