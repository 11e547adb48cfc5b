create table a (id integer primary key);
create table b (id integer references a);
create table c (id integer primary key);
create table d (id integer primary key, c integer references c);
