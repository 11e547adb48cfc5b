create type k as enum ('a');
create type l as (a int);
create function f(k) returns int language sql as 'select 1';
