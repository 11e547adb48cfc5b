create table t (id int) partition by range (id);
create table p (id int);
