create schema app;

create text search dictionary app.plain (template = simple);
create text search dictionary app.stems (template = snowball, language = 'english', stopwords = 'english');
comment on text search dictionary app.stems is 'word stems';
create text search configuration app.c (parser = default);
alter text search configuration app.c add mapping for word with app.stems, app.plain;
