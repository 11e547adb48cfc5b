create table t (a int default 5, b timestamptz default now());
create view v as select a from t;
alter view v alter column a set default 8;
