create collation public.plain (provider = builtin, locale = 'C.UTF-8');
create view public.sorted as select 'a'::text collate public.plain as a;
