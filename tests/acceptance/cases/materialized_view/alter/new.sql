create table t (a int, b text);
create materialized view m with (fillfactor = 70) as select a, b from t where a > 0;
alter materialized view m alter column b set statistics 50, alter column b set storage external;
create index j on m (b);
