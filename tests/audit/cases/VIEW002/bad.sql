-- also: VIEW001
create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
alter table public.invoices enable row level security;
create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));

create view public.totals as
  select org_id, id, total from public.invoices
  where org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid);
grant select on public.totals to authenticated;
