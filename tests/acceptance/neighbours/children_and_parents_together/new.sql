create table a (id bigint not null, x text default 'aa', n int);
create table b (y int check (y > 1), x text, constraint bx check (x <> '') no inherit);
create table c (z int, n int default 4) inherits (a, b);
create table d () inherits (c);
create index on c (z);
