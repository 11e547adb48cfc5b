create table p (a int);
create table q (b int);
create table c (a int, b int) inherits (q);
