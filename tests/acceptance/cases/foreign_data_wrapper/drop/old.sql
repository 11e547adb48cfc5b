create foreign data wrapper plain;
create foreign data wrapper checked validator postgresql_fdw_validator;
comment on foreign data wrapper plain is 'reads nothing';
grant usage on foreign data wrapper plain to pg_monitor;
create server s foreign data wrapper plain;
