create function public.shout(words text) returns text
  language sql immutable
  return upper(words);
