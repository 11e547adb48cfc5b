create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
grant select, insert on public.invoices to authenticated;
