create table public.notes (id uuid primary key, org_id uuid not null, body text not null);
grant insert on public.notes to authenticated;
alter table public.notes enable row level security;
create policy members_write on public.notes for insert to authenticated
  with check (org_id = (select nullif(auth.jwt() ->> 'org_id', '')::uuid) and body <> '');
