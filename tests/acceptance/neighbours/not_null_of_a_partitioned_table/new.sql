create table p (a int constraint pn not null, b int not null) partition by list (a);
create table p1 partition of p for values in (1);
create table p2 (a int not null, b int not null);
