create table t (id int primary key, org int, note text);
create view v with (security_invoker = true) as select id, note, org from t;
grant select on v to public;
comment on view v is 'what a person may read';
create view on_top with (security_barrier = true, security_invoker = true) as select id from v where org = 1;
