create table t (a int primary key);
create table u (a int);
