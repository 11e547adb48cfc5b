create collation public.kept (provider = libc, locale = 'C');
comment on collation public.kept is 'bytes';
create collation public.remade (provider = libc, locale = 'POSIX');
create view public.sorted as select 'a'::text collate public.remade as a;
create table public.people (name text collate public.kept);
