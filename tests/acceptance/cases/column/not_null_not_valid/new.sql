create table t (a int, b int, c int);
alter table t add constraint a_set not null a not valid;
alter table t add constraint c_set not null c not valid;
