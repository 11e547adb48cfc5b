create table t (a int, b text);
create materialized view m as select a, b from t;
create unique index i on m (a);
comment on materialized view m is 'mm';
comment on column m.a is 'aa';
grant select on m to public;
