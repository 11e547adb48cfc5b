create table t (a varchar(20)) with (fillfactor = 60);
alter table t enable row level security;
