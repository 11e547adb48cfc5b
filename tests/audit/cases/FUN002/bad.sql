create function public.shout(words text) returns text
  language sql immutable
  as 'select upper(words)';
