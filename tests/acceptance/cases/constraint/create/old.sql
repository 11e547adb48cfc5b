create table p (id int, a int, r int4range);
create table c (p int);
