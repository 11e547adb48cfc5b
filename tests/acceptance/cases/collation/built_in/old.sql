create collation public.plain (provider = builtin, locale = 'C');
