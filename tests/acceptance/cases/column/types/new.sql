create table t (id bigint primary key, a bigint, b text, c timestamptz, d integer, e int[], f numeric(12, 4) default 2.5, g jsonb, h text[]);
create index on t (a);
create view v as select a, b from t;
