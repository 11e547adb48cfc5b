create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.orders (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  cents bigint not null
);
create table public.order_log (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  what text not null
);
create function public.log_order() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.order_log (org_id, what) values (new.org_id, tg_op);
  return null;
end $$;
revoke all on function public.log_order() from public, anon, authenticated;
create trigger log_order after insert on public.orders for each row execute function public.log_order();
alter table public.orders enable row level security;
create policy own on public.orders to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.orders to authenticated;
alter table public.order_log enable row level security;
create policy own on public.order_log to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.order_log to authenticated;
