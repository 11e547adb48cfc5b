create table p (a int not null, check (a > 0));
create table c (b int default 3) inherits (p);
alter table c alter column a set default 5;
