revoke execute on function pg_catalog.pg_sleep(double precision) from public;
grant execute on function pg_catalog.pg_sleep(double precision) to pg_monitor;
grant select, update on pg_catalog.pg_largeobject to pg_monitor;
