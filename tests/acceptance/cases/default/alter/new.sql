create table t (a int default 6, b text);
