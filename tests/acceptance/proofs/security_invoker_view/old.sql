create table t (id int primary key, org int, note text);
create view v as select id, note from t;
grant select on v to public;
comment on view v is 'what a person may read';
