create table p (id int not null, at date not null check (at > '2000-01-01')) partition by range (at);
create table p1 partition of p default;
create table q (a int not null check (a > 0));
create table c (b int) inherits (q);
