create table t (a int not null, b int not null constraint k unique);
alter table t replica identity using index k;
create table f (a int not null unique);
alter table f replica identity using index f_a_key;
