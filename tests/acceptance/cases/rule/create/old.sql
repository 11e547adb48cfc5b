create table t (a int);
create table u (a int);

