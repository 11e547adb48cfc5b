create table s (a integer, b text);
create table n (a integer);
create view v as select a, b from s;
