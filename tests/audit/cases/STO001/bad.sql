create table public.companies (id uuid primary key, org_id uuid not null, unique (org_id, id));
create table public.accounts (
  id uuid primary key,
  org_id uuid not null,
  company_id uuid not null references public.companies (id)
);
create index on public.accounts (company_id);
