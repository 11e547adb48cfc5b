create table item (id int, n int);
create view v (c) as select id from item;
create view summary (id) as select id from item;
