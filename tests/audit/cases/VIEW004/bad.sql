create table public.invoices (org_id uuid not null, id uuid not null, total numeric, primary key (org_id, id));
alter table public.invoices enable row level security;
create policy members_read on public.invoices for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));

create schema private;
create function private.totals() returns table (org_id uuid, total numeric)
  language sql stable security definer set search_path = ''
  as 'select i.org_id, sum(i.total) from public.invoices as i group by i.org_id';
revoke execute on function private.totals() from public;

create view public.totals as select org_id, total from private.totals();
grant select on public.totals to authenticated;
