create table public.companies (org_id uuid not null, id uuid not null, primary key (org_id, id));
create table public.accounts (
  org_id uuid not null,
  id uuid not null,
  company_id uuid not null,
  primary key (org_id, id),
  foreign key (org_id, company_id) references public.companies (org_id, id)
);
create index accounts_company_idx on public.accounts (org_id, company_id);
