create function public.halved(amount integer) returns integer
  language plpgsql immutable set search_path = ''
  as 'begin return amount / 2; end';
