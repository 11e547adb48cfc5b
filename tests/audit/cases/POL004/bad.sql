create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
grant select, insert, update, delete on public.invoices to authenticated;
alter table public.invoices enable row level security;

create policy members on public.invoices to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
