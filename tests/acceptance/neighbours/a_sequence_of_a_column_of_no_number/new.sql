create table t (a interval);
create sequence s owned by t.a;
