create table p (id int, at date) partition by range (at);
create table p1 partition of p default;
create table q (a int);
create table c (b int) inherits (q);
