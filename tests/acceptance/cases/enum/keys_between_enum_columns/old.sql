create type k as enum ('a', 'b', 'c');
create table p (k k primary key);
create table c (k k references p);
