create type pair as (z tsvector, a numeric(10, 2));
create table t (x text, y pair);
