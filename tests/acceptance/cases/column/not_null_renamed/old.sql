create table t (a int constraint x not null, b int not null, c int);
alter table t add constraint y not null c not valid;
