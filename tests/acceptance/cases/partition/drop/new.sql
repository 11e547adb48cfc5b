create table p (id int, at date) partition by range (at);
create index on p (id);
