create schema app;
alter default privileges in schema app grant select, insert on tables to pg_monitor;
alter default privileges grant usage on schemas to pg_monitor with grant option;
alter default privileges revoke usage on types from public;
create table app.before (id integer);
