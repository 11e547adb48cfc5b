create table p (id int not null, a int);
create table c (p int);
