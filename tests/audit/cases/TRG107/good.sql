create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.books (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  title text not null
);
create table public.book_log (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  what text not null
);
create function public.note_book() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.book_log (org_id, what) values (new.org_id, tg_op);
  return null;
end $$;
revoke all on function public.note_book() from public, anon, authenticated;
create trigger note_book after insert on public.books for each row execute function public.note_book();
alter table public.books enable row level security;
create policy own on public.books to authenticated
  using (org_id = (select public.org())) with check (org_id = (select public.org()));
grant select, insert, update, delete on public.books to authenticated;
alter table public.book_log enable row level security;
create policy select_own on public.book_log for select to authenticated using (org_id = (select public.org()));
grant select on public.book_log to authenticated;
