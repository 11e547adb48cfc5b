create table p (id int, at date, gone text) partition by range (at);
create table p1 partition of p default;
create view v as select id from p1;
