create domain d as numeric(10,2);
create table t (a d);
create table u (b integer);
create policy p on u using (exists (select from t where a is not null));
