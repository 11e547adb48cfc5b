-- also: POL025
create table public.notes (id uuid primary key, body text not null);
grant insert on public.notes to authenticated;
alter table public.notes enable row level security;
create policy anybody_writes on public.notes for insert to authenticated
  with check (body <> '');
