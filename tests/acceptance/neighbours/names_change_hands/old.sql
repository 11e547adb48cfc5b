create table a (x int);
create view b as select 1 as x;
create sequence c;
create index i on a (x);
create type e as enum ('x');
create materialized view m as select 1 as x;
create domain d as int;
