create table target (id int primary key);
create table t (id int primary key, b int constraint c1 check (b > 0), c int constraint c2 check (c > 0), d int constraint c3 check (d > 0)) partition by range (id);
alter table t add constraint fk foreign key (id) references target (id);
alter table t add constraint fk2 foreign key (b) references target (id);
create table t_1 partition of t for values from (10) to (20);
create table t_2 partition of t for values from (20) to (30);
create table o (id int primary key, b int, c int constraint c2 check (c > 5)) partition by range (id);
