-- also: PRF002
create table public.notes (id uuid primary key, org_id uuid not null, owner name not null, body text);
grant select on public.notes to authenticated;
alter table public.notes enable row level security;

create policy owners_read on public.notes for select to authenticated
  using (owner = current_user);
