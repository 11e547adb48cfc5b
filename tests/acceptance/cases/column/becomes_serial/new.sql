create table t (a serial, b int);
insert into t values (41, 1);
