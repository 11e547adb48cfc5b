create collation public.kept (provider = icu, locale = 'de');
create collation public.remade (provider = icu, locale = 'de');
create view public.sorted as select 'a'::text collate public.remade as a;
create table public.people (name text collate public.kept);
