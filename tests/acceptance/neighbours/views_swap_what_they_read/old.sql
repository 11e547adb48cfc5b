create table t (a integer);
create materialized view m as select a from t;
create view v as select a from m;
create view w as select v.a from v;
