-- Called as an RPC by a schedule, never by a trigger: a refresh reads everything and lets one caller in at a time.
-- CONCURRENTLY, so that readers see the old figures meanwhile; it needs the unique index of the view.
-- SECURITY DEFINER, because only the owner of a materialized view may refresh it; it takes no argument and returns
-- nothing, so it can neither be aimed at an organisation nor tell about one.
create function public.refresh_account_monthly_rollups() returns void
language plpgsql security definer
set search_path = ''
as $$
begin
  refresh materialized view concurrently public.account_monthly_rollups;
end
$$;

revoke all on function public.refresh_account_monthly_rollups() from public, anon, authenticated, service_role;
grant execute on function public.refresh_account_monthly_rollups() to service_role;
