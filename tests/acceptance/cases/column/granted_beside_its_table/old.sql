create table t (a integer, b integer);
grant select, references on t to pg_monitor with grant option;
grant select (a), references (a) on t to pg_monitor;
