revoke execute on function pg_catalog.pg_sleep(double precision) from public;
grant execute on function pg_catalog.pg_ls_dir(text) to pg_monitor with grant option;
grant select on pg_catalog.pg_authid to pg_monitor;
revoke usage on language sql from public;
grant usage on language plpgsql to pg_monitor;
grant select (rolname) on pg_catalog.pg_authid to pg_read_all_stats;
revoke usage on schema pg_catalog from public;
grant usage on schema pg_catalog to public;
