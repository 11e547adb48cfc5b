create type public.span as range (subtype = double precision, subtype_diff = float8mi);
create function public.width(span) returns double precision language sql immutable as 'select upper($1) - lower($1)';
create type public.kept as range (subtype = integer);
comment on type public.kept is 'stays, with its column';
grant usage on type public.kept to pg_monitor with grant option;
create table public.t (r public.kept);
