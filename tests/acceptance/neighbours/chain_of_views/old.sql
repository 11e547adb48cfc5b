create table t (a int, b int);
create view v1 as select a, b from t;
create view v2 as select a, b from v1;
create view v3 as select v2.a, v1.b from v1, v2;
create materialized view v4 as select a from v3;
create view v5 as select a from v4;
