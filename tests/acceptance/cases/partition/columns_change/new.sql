create table p (id bigint, at date, fresh text default 'x') partition by range (at);
create table p1 partition of p default;
create view v as select id from p1;
