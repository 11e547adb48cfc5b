create table public.invoices (org_id uuid not null, number bigint generated always as identity, primary key (org_id, number));
grant insert on public.invoices to authenticated;
alter table public.invoices enable row level security;
create policy members_add on public.invoices for insert to authenticated
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
