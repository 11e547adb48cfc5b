create table a (id int, k int, x int constraint c1 check (x > 0)) partition by range (id);
create table p (id int, k int, x int);
alter table p add constraint c1 check (x > 0);
alter table a attach partition p for values from (1) to (100);
create table q partition of a for values from (100) to (200);
create table b (id int, z text not null, k bigint) partition by range (id);
create table r partition of b for values from (1) to (100);
create index on a (k);
