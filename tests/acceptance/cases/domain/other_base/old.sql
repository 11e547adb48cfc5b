create domain d as integer constraint pos check (value > 0);
create table t (id int primary key, d d default 5, ds d[]);
create view v as select d from t;
create index on t (d);
