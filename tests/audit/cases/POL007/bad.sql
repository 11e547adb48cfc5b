-- also: GRANT003
create table public.invoices (id uuid primary key, org_id uuid not null, total numeric);
grant select, insert, update, delete on public.invoices to authenticated;
alter table public.invoices enable row level security;

grant select on public.invoices to anon;
create policy members on public.invoices
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid))
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
