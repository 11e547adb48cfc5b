create table t (a int primary key, b int);
create index i on t (b);
alter table t cluster on i;
create materialized view m as select 1 as a;
create index mi on m (a);
