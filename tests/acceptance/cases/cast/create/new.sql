create type public.pair as (x integer, y integer);
create type public.mood as enum ('calm');
create function public.to_pair(integer) returns pair language sql immutable as 'select row($1, $1)::pair';
create cast (integer as public.pair) with function public.to_pair(integer) as assignment;
create cast (public.mood as public.pair) with inout as implicit;
create domain public.small as integer;
comment on cast (integer as public.pair) is 'both the same';
create type public."Odd Name" as (x integer, y integer);
create cast (public.pair as public."Odd Name") with inout;
