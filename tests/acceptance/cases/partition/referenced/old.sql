create table r (a int);
