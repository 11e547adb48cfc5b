create table t (a text compression pglz, b text, c numeric);
alter table t alter column b set storage external, alter column c set storage plain, alter column a set statistics 500, alter column b set (n_distinct = 5);
