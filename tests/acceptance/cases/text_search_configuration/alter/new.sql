create text search configuration public.c (parser = default);
alter text search configuration public.c add mapping for word with english_stem, simple;
alter text search configuration public.c add mapping for asciiword with simple;
alter text search configuration public.c add mapping for url with simple;
comment on text search configuration public.c is 'changed';
create table public.docs (body text);
create index docs_body on public.docs using gin (to_tsvector('public.c', body));
