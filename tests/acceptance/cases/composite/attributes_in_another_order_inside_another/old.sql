create type pair as (a integer, b text);
create type twice as (p pair, n integer);
create table note (id integer);
create materialized view deep as select id, null::twice as t from note;
create view shown as select t from deep;
create function last_of(t twice) returns integer language sql as 'select 1';
