create table p (id int, at date) partition by range (at);
create table p1 partition of p default;
create index i on p (at, id);
create index j on only p (at);
