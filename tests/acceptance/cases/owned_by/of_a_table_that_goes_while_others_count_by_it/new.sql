create table c (id int);
create table k (id int);
create table l (id int, x int default 2);
