create table t ("Mixed Case" integer, b integer);
grant select ("Mixed Case"), update (b) on t to pg_monitor;
