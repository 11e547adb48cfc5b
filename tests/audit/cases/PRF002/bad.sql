create table public.invoices (id uuid primary key, org_id uuid not null, total numeric);
grant select on public.invoices to authenticated;
alter table public.invoices enable row level security;

create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
