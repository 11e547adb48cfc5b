create table public.events (org_id uuid not null, at date not null, what text, primary key (org_id, at));
create table public.old_events () inherits (public.events);
grant select on public.events to authenticated;

alter table public.events enable row level security;
create policy members_read on public.events for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
