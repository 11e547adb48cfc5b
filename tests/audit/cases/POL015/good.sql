create table public.notes (id uuid primary key, org_id uuid not null, owner_id uuid not null, body text);
grant select on public.notes to authenticated;
alter table public.notes enable row level security;

create policy owners_read on public.notes for select to authenticated
  using (owner_id = (select auth.uid()));
