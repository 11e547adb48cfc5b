create table public.companies (id uuid primary key, org_id uuid not null, unique (org_id, id));
create table public.accounts (
  id uuid primary key,
  org_id uuid not null,
  company_id uuid not null,
  foreign key (org_id, company_id) references public.companies (org_id, id) on delete cascade
);
create index on public.accounts (org_id, company_id);
