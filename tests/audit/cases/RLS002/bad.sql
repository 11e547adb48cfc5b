create table public.invoices (id uuid primary key, org_id uuid not null, total numeric);
grant select on public.invoices to authenticated;

create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
