create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create materialized view public.order_totals as select org_id, sum(total) as total from public.orders group by org_id;
create function public.refresh_totals() returns void language plpgsql security definer set search_path = '' as $$
begin
  refresh materialized view public.order_totals;
end $$;
-- called by a schedule
