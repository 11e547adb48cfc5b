-- How two spellings of a company's name are recognised as one: letter case, punctuation and spaces do not count.
-- The legal form does: "Acme LLC" and "Acme Inc." may be two companies. "L.L.C." is written "LLC" first.
create function public.normalise_name(p_name text) returns text
language sql immutable parallel safe
set search_path = ''
as $$
  select btrim(regexp_replace(lower(translate(p_name, '.''', '')), '[[:space:][:punct:]]+', ' ', 'g'))
$$;

revoke all on function public.normalise_name(text) from public, anon, authenticated, service_role;
grant execute on function public.normalise_name(text) to authenticated, service_role;
