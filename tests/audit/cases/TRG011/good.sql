create table public.orders (id uuid primary key default gen_random_uuid(), org_id uuid not null, total bigint not null default 0, status text);
create table public.orders_log (id bigint generated always as identity primary key, org_id uuid not null, order_id uuid not null, operation text not null);
create table public.invoices (id uuid primary key default gen_random_uuid(), org_id uuid not null, cents bigint not null);
create function public.bill() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.invoices (org_id, cents) values (new.org_id, new.total);
  insert into public.orders_log (org_id, order_id, operation) values (new.org_id, new.id, 'billed');
  return null;
end $$;
create trigger bill after insert on public.orders for each row execute function public.bill();
