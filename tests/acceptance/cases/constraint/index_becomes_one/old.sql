create table t (a int not null);
create unique index k on t (a);
