create table t (a int);
alter table t enable row level security;

