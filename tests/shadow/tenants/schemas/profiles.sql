-- The commonest way: the tenant of a user stands in their profile, and a function looks it up.
create table public.companies (id uuid primary key default gen_random_uuid(), name text not null);
create table public.profiles (
  id uuid primary key references auth.users (id) on delete cascade,
  company_id uuid references public.companies (id),
  role text not null default 'user' check (role in ('user', 'company_admin', 'super_admin')),
  is_active boolean not null default false,
  email text unique
);
create function public.my_company() returns uuid language plpgsql stable security definer set search_path = '' as $$
declare found_id uuid;
begin
  select company_id into found_id from public.profiles where id = auth.uid() and is_active;
  return found_id;
end
$$;
create function public.is_ruler() returns boolean language sql stable security definer set search_path = '' as $$
  select exists (select 1 from public.profiles where id = auth.uid() and role = 'super_admin')
$$;
create table public.customers (id uuid primary key default gen_random_uuid(), company_id uuid not null references public.companies (id), name text not null, email text);
create table public.orders (id uuid primary key default gen_random_uuid(), customer_id uuid not null references public.customers (id), seller_id uuid references public.profiles (id), total numeric not null);
create table public.messages (id uuid primary key default gen_random_uuid(), company_id uuid not null, sender_id uuid not null references public.profiles (id), body text not null);
create table public.rates (currency text primary key, rate numeric not null);
create table public.api_calls (id bigint primary key generated always as identity, company uuid not null, path text not null);
alter table public.companies enable row level security;
alter table public.profiles enable row level security;
alter table public.customers enable row level security;
alter table public.orders enable row level security;
alter table public.messages enable row level security;
alter table public.rates enable row level security;
alter table public.api_calls enable row level security;
create policy own on public.companies for select to authenticated using (id = public.my_company() or public.is_ruler());
create policy own on public.profiles for select to authenticated using (company_id = public.my_company() or id = auth.uid());
create policy own on public.customers to authenticated using (company_id = public.my_company() or public.is_ruler());
create policy own on public.orders to authenticated using (exists (select 1 from public.customers c where c.id = customer_id and c.company_id = public.my_company()));
create policy own on public.messages to authenticated using (company_id = (select public.my_company()));
create policy all_read on public.rates for select to authenticated using (true);
create policy own on public.api_calls to authenticated using (company = public.my_company());
-- Members of teams in a table of roles; settings of an application that is not trusted with more than an enum.
create table public.roles (id int primary key, name text not null unique);
insert into public.roles values (1, 'platform_admin'), (2, 'captain_admin'), (3, 'player');
create table public.company_members (company_id uuid not null references public.companies (id), user_id uuid not null references auth.users (id),
  role_id int not null references public.roles (id), primary key (company_id, user_id));
create type public.mode as enum ('superadmin', 'coach', 'office_admin');
create table public.plans (id int primary key, name text not null);
create table public.trainings (id uuid primary key default gen_random_uuid(), company_id uuid not null references public.companies (id), note text);
alter table public.roles enable row level security;
alter table public.company_members enable row level security;
alter table public.plans enable row level security;
alter table public.trainings enable row level security;
create policy own on public.company_members to authenticated using (company_id = public.my_company());
create policy robots on public.plans using (auth.role() = 'service_role');
create policy staff on public.trainings to authenticated using (company_id = public.my_company() and exists (
  select from public.company_members m where m.company_id = trainings.company_id and m.user_id = auth.uid() and m.role_id = 2)
  and current_setting('app.mode', true)::public.mode <> 'superadmin');
