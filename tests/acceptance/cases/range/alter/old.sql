create type public.span as range (subtype = double precision);
create function public.width(span) returns double precision language sql immutable as 'select upper($1) - lower($1)';
create type public.kept as range (subtype = integer);
create table public.t (r public.kept);
