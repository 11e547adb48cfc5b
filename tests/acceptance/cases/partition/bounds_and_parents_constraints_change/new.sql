create table target (id int primary key);
create table t (id int, b int constraint c1 check (b > 1), c int constraint c2 check (c > 0), d int constraint c4 check (d > 0)) partition by range (id);
alter table t add constraint t_pkey primary key (id) include (b);
alter table t add constraint fk foreign key (id) references target (id) on delete cascade;
create table t_1 partition of t for values from (110) to (120);
create table o (id int primary key, b int, c int constraint c2 check (c > 5)) partition by range (id);
create table t_2 partition of o for values from (20) to (30);
