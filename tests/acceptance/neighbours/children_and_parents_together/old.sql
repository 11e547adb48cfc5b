create table a (id int not null, x text default 'a');
create table b (y int check (y > 0), x text);
create table c (z int) inherits (a, b);
create index on c (z);
