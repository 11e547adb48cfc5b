create table t (id int primary key, a int, b varchar(20), c timestamp, d text, e text[], f numeric(9, 2) default 1.5, g json, h int[]);
create index on t (a);
create view v as select a, b from t;
