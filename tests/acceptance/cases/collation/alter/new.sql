create collation public.kept (provider = icu, locale = 'de');
comment on collation public.kept is 'umlauts';
create collation public.remade (provider = icu, locale = 'fr', deterministic = false);
create view public.sorted as select 'a'::text collate public.remade as a;
create table public.people (name text collate public.kept);
