create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
grant select on public.invoices to authenticated;
alter table public.invoices enable row level security;

create policy members_read on public.invoices for select to authenticated
  using (org_id = nullif(auth.jwt() ->> 'org_id', '')::uuid);
