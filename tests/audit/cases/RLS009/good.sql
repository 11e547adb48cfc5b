create table public.readings (id uuid primary key, org_id uuid not null, device text not null, value numeric);
grant select on public.readings to authenticated;
alter table public.readings enable row level security;
create policy devices_read on public.readings for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid) and device = (select auth.jwt() ->> 'device'));
