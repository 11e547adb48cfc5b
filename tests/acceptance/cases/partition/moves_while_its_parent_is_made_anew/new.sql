create table a (id int, k int, x int constraint c1 check (x > 0)) partition by range (k);
create table b (id int, z text not null default 'z', k bigint, constraint c1 check (id > 0)) partition by range (id);
create table p partition of b for values from (1) to (100);
create table q (id int, k int, x int constraint c1 check (x > 0));
create table r (id int, k int, x int constraint c1 check (x > 0));
alter table a attach partition r for values from (0) to (1000000);
create index on a (k);
