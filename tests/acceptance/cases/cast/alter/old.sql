create type public.pair as (x integer, y integer);
create function public.to_pair(integer) returns pair language sql immutable as 'select row($1, $1)::pair';
create function public.other(integer) returns pair language sql immutable as 'select row($1, 0)::pair';
create cast (integer as public.pair) with function public.to_pair(integer);
create cast (text as public.pair) with inout;
create view public.seen as select 1::pair as p;
