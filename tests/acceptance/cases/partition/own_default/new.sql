create table p (id int default 1, at date) partition by range (at);
create table p1 partition of p default;
alter table p1 alter column id set default 2;
