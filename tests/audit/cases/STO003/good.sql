create table public.customers (org_id uuid not null, id uuid not null, primary key (org_id, id), email text not null, unique (org_id, email));
create unique index customers_by_address on public.customers ((org_id::text), lower(email));
grant select, insert on public.customers to authenticated;
alter table public.customers enable row level security;
create policy members_read on public.customers for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
create policy members_add on public.customers for insert to authenticated
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
