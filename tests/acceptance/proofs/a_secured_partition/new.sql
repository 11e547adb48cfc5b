create table t (id integer primary key) partition by range (id);
create table p partition of t for values from (1) to (10);
alter table p enable row level security;
