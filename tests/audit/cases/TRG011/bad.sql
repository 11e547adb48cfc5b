-- also: TRG009, TRG012
create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create table public.orders_log (id bigint generated always as identity primary key, org_id uuid not null, order_id uuid not null, operation text not null);
create function public.log_order() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.orders_log (org_id, order_id, operation) select n.org_id, n.id, tg_op from new_rows as n;
  return null;
end $$;
create trigger log_order after insert on public.orders referencing new table as new_rows
for each statement execute function public.log_order();
create table public.invoices (id uuid primary key default gen_random_uuid(), org_id uuid not null, cents bigint not null);
create function public.bill() returns trigger language plpgsql set search_path = '' as $$
begin
  insert into public.invoices (org_id, cents) values (new.org_id, new.total);
  return null;
end $$;
create trigger bill after insert on public.orders for each row execute function public.bill();
