-- also: PRF005, RLS009
create table public.notes (id uuid primary key, owner_key text not null, body text);
grant select on public.notes to authenticated;
alter table public.notes enable row level security;

create policy owners_read on public.notes for select to authenticated
  using (owner_key ilike (select auth.jwt() ->> 'sub'));
