create type k as enum ('c', 'a');
create table p (k k primary key);
create table c (k k references p);
