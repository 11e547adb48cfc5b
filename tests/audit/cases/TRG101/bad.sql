create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.accounts (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  balance bigint not null default 0
);
create table public.payments (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  account_id uuid not null references public.accounts, cents bigint not null
);
create function public.book() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  update public.accounts as a set balance = a.balance + new.cents where a.id = new.account_id;
  return null;
end $$;
revoke all on function public.book() from public, anon, authenticated;
create trigger book after insert on public.payments for each row execute function public.book();
alter table public.accounts enable row level security;
create policy select_own on public.accounts for select to authenticated using (org_id = (select public.org()));
grant select on public.accounts to authenticated;
alter table public.payments enable row level security;
create policy own on public.payments to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.payments to authenticated;
