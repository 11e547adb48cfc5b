create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.notes (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  body text not null
);
create table public.note_counts (org_id uuid primary key references public.orgs, notes bigint not null default 0);
create function public.count_note() returns trigger language plpgsql set search_path = '' as $$
begin
  update public.note_counts as c set notes = c.notes + 1 where c.org_id = new.org_id;
  return null;
end $$;
revoke all on function public.count_note() from public, anon, authenticated;
create trigger count_note after insert on public.notes for each row execute function public.count_note();
alter table public.notes enable row level security;
create policy own on public.notes to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.notes to authenticated;
alter table public.note_counts enable row level security;
create policy select_own on public.note_counts for select to authenticated using (org_id = (select public.org()));
grant select, update on public.note_counts to authenticated;
