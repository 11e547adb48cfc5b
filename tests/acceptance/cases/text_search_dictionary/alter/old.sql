create text search dictionary public.d (template = simple, stopwords = 'english', accept = false);
create text search dictionary public.remade (template = simple);
create text search dictionary public.cleared (template = simple, accept = false);
create text search configuration public.c (parser = default);
alter text search configuration public.c add mapping for word with public.d, public.remade;
