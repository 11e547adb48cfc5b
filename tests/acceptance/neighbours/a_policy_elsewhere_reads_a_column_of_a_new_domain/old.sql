create domain d as numeric(10,2);
create table t (a d);
create table u (b integer);
create policy p on u using (exists (select from t where a is not null));
create table parts (id integer, a d) partition by list (id);
create table part partition of parts for values in (1);
create policy kept on u using (exists (select from part where a is not null));
