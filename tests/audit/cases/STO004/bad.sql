create table public.customers (id uuid primary key, org_id uuid, name text);
create index on public.customers (org_id);
grant select, insert on public.customers to authenticated;
alter table public.customers enable row level security;
create policy members_read on public.customers for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
create policy members_add on public.customers for insert to authenticated
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
