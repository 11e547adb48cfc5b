create table p (a int not null, b int) partition by list (a);
create table p1 partition of p for values in (1);
create table p2 (a int not null, b int not null);
alter table p attach partition p2 for values in (2);
