create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
alter table public.invoices enable row level security;
create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));

create materialized view public.totals as
  select org_id, sum(total) as total from public.invoices group by org_id;

create view public.own_totals with (security_barrier = true) as
  select org_id, total from public.totals where org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid);
grant select on public.own_totals to authenticated;
