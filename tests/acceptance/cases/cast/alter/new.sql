create type public.pair as (x integer, y integer);
create function public.to_pair(integer) returns pair language sql immutable as 'select row($1, $1)::pair';
create function public.other(integer) returns pair language sql immutable as 'select row($1, 0)::pair';
create cast (integer as public.pair) with function public.other(integer) as assignment;
create cast (text as public.pair) with inout;
comment on cast (text as public.pair) is 'as printed';
create view public.seen as select 1::pair as p;
