create table t (id integer not null, a text not null, b integer) partition by list (id);
create table p (id bigint, a varchar(20), b integer, c integer);
