-- also: TRG011, TRG012
create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create table public.totals (org_id uuid primary key, orders bigint not null default 0);
create function public.count_order() returns trigger language plpgsql set search_path = '' as $$
begin
  begin
    update public.totals as t set orders = t.orders + 1 where t.org_id = new.org_id;
  exception when others then
    raise warning 'not counted: %', sqlerrm;
  end;
  return null;
end $$;
create trigger count_order after insert on public.orders for each row execute function public.count_order();
