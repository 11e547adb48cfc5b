create table public.counters (org_id uuid primary key, value bigint not null);
grant select, update on public.counters to authenticated;
alter table public.counters enable row level security;
create policy members on public.counters for update to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid))
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));

create function public.bump(org uuid) returns void
  language sql security invoker set search_path = ''
  as 'update public.counters set value = value + 1 where org_id = org';
