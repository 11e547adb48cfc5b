create table item (id int, n int);
create view v (n) as select n from item;
create view summary (n, one) as select v.n, 1 from v;
