create table t (a int not null, b int not null unique);
create unique index i on t (a);
alter table t replica identity using index i;
create table f (a int);
alter table f replica identity full;
create table n (a int primary key);
alter table n replica identity nothing;
