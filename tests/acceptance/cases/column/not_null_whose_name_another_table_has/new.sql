create table s (a int not null, b int not null);
create table t (a int, b int not null);
create table k (a int, b int not null);
create table c (x int) inherits (k);
alter table c alter column a set not null;
create table other (
  a int constraint s_a_not_null not null, b int constraint t_b_not_null not null, c int constraint k_b_not_null not null,
  d int constraint c_a_not_null not null, e int constraint t_a_not_null check (e > 0)
);
create domain d as int constraint s_b_not_null check (value > 0);
