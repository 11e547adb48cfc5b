create role app login;
create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
alter table public.invoices owner to app;

alter table public.invoices enable row level security;
alter table public.invoices force row level security;
create policy of_the_organisation on public.invoices for select to app
  using (org_id = (select nullif(current_setting('app.org_id', true), '')::uuid));
