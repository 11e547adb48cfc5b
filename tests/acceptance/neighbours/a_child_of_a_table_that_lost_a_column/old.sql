create table t (id integer, a date, b text);
