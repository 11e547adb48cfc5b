create schema app;

create text search template app.simple (init = dsimple_init, lexize = dsimple_lexize);
create text search template app.bare (lexize = dsimple_lexize);
comment on text search template app.bare is 'no options';
