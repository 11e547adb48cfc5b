create table t (a date);
create view w as select a from t;
