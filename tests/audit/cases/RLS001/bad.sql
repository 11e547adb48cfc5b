create table public.invoices (id uuid primary key, org_id uuid not null, total numeric);
grant select, insert on public.invoices to authenticated;
