create table t (a int, b text);
create view v as select a, b, a + 1 as c from t;
comment on column v.c is 'cc';
