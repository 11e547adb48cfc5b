create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.customers (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  name text not null
);
create table public.bills (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  customer_id uuid not null, customer text
);
create function public.fill_bill() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  select c.name into new.customer from public.customers as c where c.org_id = new.org_id and c.id = new.customer_id;
  return new;
end $$;
revoke all on function public.fill_bill() from public, anon, authenticated;
create trigger fill_bill before insert on public.bills for each row execute function public.fill_bill();
alter table public.customers enable row level security;
create policy select_own on public.customers for select to authenticated using (org_id = (select public.org()));
grant select on public.customers to authenticated;
alter table public.bills enable row level security;
create policy own on public.bills to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.bills to authenticated;
