create table t (a int primary key, b int);
create index i on t (b);
alter table t cluster on t_pkey;
create materialized view m as select 1 as a;
create index mi on m (a);
alter materialized view m cluster on mi;
