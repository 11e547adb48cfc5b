create table t (a int);
alter table t enable row level security;
create policy p on t for select to current_user using (a > 5);
