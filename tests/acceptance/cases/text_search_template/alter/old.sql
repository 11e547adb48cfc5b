create text search template public.t (lexize = dsimple_lexize);
create text search template public.kept (init = dsimple_init, lexize = dsimple_lexize);
create text search dictionary public.d (template = public.kept, accept = false);
