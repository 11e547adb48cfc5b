create table t (a int, b text);
create view v as select a, b from t;
create view w as select b from v;
grant select on w to public;
create materialized view m as select * from w;
create index on m (b);
