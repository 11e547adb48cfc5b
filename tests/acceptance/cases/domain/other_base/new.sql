create domain d as bigint constraint pos check (value > 1);
create table t (id int primary key, d d default 7, ds d[]);
create view v as select d from t;
create index on t (d);
