create table p (id int primary key, a int unique, check (a > 0));
create table c (p int references p);
