create table p (a bigint, d int default 4);
create table c (x int) inherits (p);
