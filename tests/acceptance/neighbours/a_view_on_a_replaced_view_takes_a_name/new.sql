create table s (a integer, b text);
create view v as select a from s;
create view n as select a from v;
