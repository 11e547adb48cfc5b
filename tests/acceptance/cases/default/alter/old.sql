create table t (a int default 5, b text default 'x');
