-- also: GRANT003, POL025, POL028
create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
grant select, insert, update, delete on public.invoices to authenticated;
alter table public.invoices enable row level security;

grant insert on public.invoices to anon;
create policy members on public.invoices to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid))
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
create policy visitors_add on public.invoices for insert to anon
  with check (org_id = '00000000-0000-4000-8000-000000000000' and total = 0);
