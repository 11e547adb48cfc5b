create table public.events (org_id uuid not null, at date not null, what text, primary key (org_id, at)) partition by range (at);
create table public.events_2026 partition of public.events for values from ('2026-01-01') to ('2027-01-01');
grant select on public.events, public.events_2026 to authenticated;

alter table public.events enable row level security;
create policy members_read on public.events for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
