create type pair as (a integer, b integer, c text);
create type twice as (p pair, n integer);
create table note (id integer);
create view shown as select id, null::pair as p, (row(1, 2, 'x')::pair).b from note;
create materialized view kept as select id, null::pair as p from note;
create materialized view deep as select id, null::twice as t from note;
create view above as select p from kept;
create function first_of() returns integer language sql begin atomic; select (row(1, 2, 'x')::pair).a; end;
create function last_of(p pair) returns integer language sql as 'select 1';
