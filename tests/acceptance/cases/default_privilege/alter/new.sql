create schema app;
alter default privileges in schema app grant select on tables to pg_monitor with grant option;
alter default privileges in schema app grant update on tables to pg_read_all_data;
alter default privileges grant usage on schemas to pg_monitor;
create table app.before (id integer);
grant select, insert on app.before to pg_monitor;
