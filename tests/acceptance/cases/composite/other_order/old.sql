create type p as (x int, y text);
create table t (id int, p p);
create view v as select (p).x from t;
