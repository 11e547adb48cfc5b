create type mood as enum ('sad', 'ok', 'gone');
create table t (id int primary key, m mood not null default 'ok', ms mood[], check (m <> 'sad'));
create index t_m on t (m) where m = 'ok';
create unique index t_u on t (m);
create view v as select m from t where m = 'sad';
create function f(m mood) returns mood language sql as 'select m';
