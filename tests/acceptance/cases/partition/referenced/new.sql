create table p (id int primary key) partition by range (id);
create table p1 partition of p for values from (1) to (10) partition by range (id);
create table p2 partition of p default;
create table p1a partition of p1 for values from (1) to (3);
create table r (a int references p, b int, constraint positive check (b > 0));
create table q (a int references p, b int) partition by list (b);
create table q1 partition of q for values in (1);
