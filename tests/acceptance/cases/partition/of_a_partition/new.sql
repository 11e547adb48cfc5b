create table p (id int, at date) partition by range (at);
create table p1 partition of p for values from ('2020-01-01') to ('2021-01-01') partition by list (id);
create table p1a partition of p1 for values in (1, 2);
create index i on p (at);
alter table p1 enable row level security;
