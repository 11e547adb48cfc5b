create collation public.kept (provider = libc, locale = 'C');
create collation public.remade (provider = libc, locale = 'C');
create view public.sorted as select 'a'::text collate public.remade as a;
create table public.people (name text collate public.kept);
