-- The tenant stands in app_metadata; users are the application's own, found by the platform's id; odd names, cycles, tenants as partitions.
create table public."Tenants" (
  "tenantId" uuid primary key default gen_random_uuid(),
  name text not null,
  owner_id bigint,
  parent uuid references public."Tenants" ("tenantId")
);
create table public.people (
  id bigint primary key generated always as identity,
  auth_id uuid not null unique references auth.users (id),
  "tenantId" uuid not null references public."Tenants" ("tenantId"),
  email text not null unique,
  manager_id bigint references public.people (id)
);
alter table public."Tenants" add foreign key (owner_id) references public.people (id) deferrable initially deferred;
create domain public.money_amount as numeric(12, 2) check (value >= 0);
create table public."Sales Orders" (
  "Order No" bigint primary key generated always as identity,
  "tenantId" uuid not null references public."Tenants" ("tenantId"),
  seller bigint not null references public.people (id),
  amount public.money_amount not null,
  tags text[] not null default '{}',
  doc jsonb not null
);
create table public."Order Lines" ("Order No" bigint not null references public."Sales Orders" ("Order No"), n int not null, what text not null, primary key ("Order No", n));
create table public.leave (id uuid primary key default gen_random_uuid(), person bigint not null references public.people (id), during daterange not null,
  exclude using gist (during with -|-));
create table public.todo (id uuid primary key default gen_random_uuid(), auth_id uuid not null references auth.users (id), text text not null);
create table public.a (id int primary key, b_id int not null, "tenantId" uuid not null);
create table public.b (id int primary key, a_id int not null references public.a (id) deferrable initially deferred);
alter table public.a add foreign key (b_id) references public.b (id) deferrable initially deferred;
create table public.log (at timestamptz not null default now(), "tenantId" uuid not null, line text not null);
do $$
declare t text;
begin
  foreach t in array array['Tenants', 'people', 'Sales Orders', 'Order Lines', 'leave', 'todo', 'a', 'b', 'log'] loop
    execute format('alter table public.%I enable row level security', t);
  end loop;
  foreach t in array array['Tenants', 'people', 'Sales Orders', 'a', 'log'] loop
    execute format($p$create policy tenant on public.%I to authenticated using ("tenantId" = (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid)$p$, t);
  end loop;
end
$$;
create policy tenant on public."Order Lines" to authenticated using ((select o."tenantId" from public."Sales Orders" o where o."Order No" = "Order Lines"."Order No") = (auth.jwt() #>> '{app_metadata,tenant_id}')::uuid);
create policy own on public.leave to authenticated using (person = (select p.id from public.people p where p.auth_id = auth.uid()));
create policy own on public.todo to authenticated using (auth_id = auth.uid());
create policy tenant on public.b to authenticated using (exists (select 1 from public.a where a.id = a_id));
