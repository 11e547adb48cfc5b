create text search configuration public.c (parser = default);
alter text search configuration public.c add mapping for word, asciiword, email with simple;
create table public.docs (body text);
create index docs_body on public.docs using gin (to_tsvector('public.c', body));
