create schema app;

create text search configuration app.own (parser = default);
alter text search configuration app.own add mapping for word, asciiword with simple;
alter text search configuration app.own add mapping for hword with english_stem, simple;
comment on text search configuration app.own is 'few tokens';
create text search configuration app.copied (copy = pg_catalog.english);
create table app.docs (body text);
create index docs_body on app.docs using gin (to_tsvector('app.own', body));
