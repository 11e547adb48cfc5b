create table public.messages (id uuid primary key, org_id uuid not null, body text);
grant select on public.messages to authenticated;
alter table public.messages enable row level security;
create policy members_read on public.messages for select to authenticated
  using (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid));
create publication supabase_realtime for table public.messages;
