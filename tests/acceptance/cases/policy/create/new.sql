create table t (a int);
alter table t enable row level security;
create policy p on t as restrictive for update to public using (a > 0) with check (a > 1);
comment on policy p on t is 'pp';
