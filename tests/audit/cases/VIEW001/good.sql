create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
alter table public.invoices enable row level security;
create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));

create view public.totals as
  select org_id, sum(total) as total from public.invoices
  where org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid) group by org_id;
alter view public.totals set (security_barrier = true);
grant select on public.totals to service_role;
