create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create table public.totals (org_id uuid primary key, orders bigint not null default 0);
create function public.count_order() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.totals as t set orders = t.orders + 1 where t.org_id = new.org_id;
  return null;
end $$;
create trigger count_order after insert on public.orders for each row execute function public.count_order();
