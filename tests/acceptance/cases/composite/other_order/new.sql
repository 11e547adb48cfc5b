create type p as (y text, x bigint, z date);
create table t (id int, p p);
create view v as select (p).x from t;
