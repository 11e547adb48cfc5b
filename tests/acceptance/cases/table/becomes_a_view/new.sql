create table u (a int);
create view t as select a from u;
