create table t (a int);
create policy p on t using (a > 2) with check (a > 3);
