create table t (a int, b timestamptz);
