create text search dictionary public.d (template = simple, stopwords = 'german');
comment on text search dictionary public.d is 'without those';
create text search dictionary public.remade (template = snowball, language = 'english');
create text search dictionary public.cleared (template = simple);
create text search configuration public.c (parser = default);
alter text search configuration public.c add mapping for word with public.d, public.remade;
