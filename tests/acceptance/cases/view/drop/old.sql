create table t (a int, b text);
create view v with (security_barrier) as select a, b from t where a > 0 with local check option;
comment on view v is 'vv';
comment on column v.a is 'aa';
grant select on v to public;
grant select (b) on v to public;
