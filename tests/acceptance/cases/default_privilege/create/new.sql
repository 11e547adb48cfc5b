create schema app;

alter default privileges in schema app grant select, insert on tables to pg_monitor;
alter default privileges in schema app grant usage on sequences to pg_monitor with grant option;
alter default privileges revoke execute on functions from public;
alter default privileges grant usage on types to pg_monitor;
alter default privileges grant usage, create on schemas to pg_monitor;
