create table t (a integer, b integer);
grant select (a), references (a) on t to pg_monitor;
grant update (b) on t to public;
