create collation public.plain (provider = builtin, locale = 'C.UTF-8');
create table public.people (name text collate public.plain);
