create foreign data wrapper elsewhere;
create server billing foreign data wrapper elsewhere;
create foreign table public.charges (org_id uuid, amount numeric) server billing;
grant select on public.charges to authenticated;
