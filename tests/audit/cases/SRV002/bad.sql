create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.drafts (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  title text not null
);
create function public.title_of(p_org_id uuid, p_draft_id uuid) returns text language sql stable set search_path = ''
as $$ select d.title from public.drafts as d where d.id = p_draft_id $$;
alter table public.drafts enable row level security;
create policy select_own on public.drafts for select to authenticated using (org_id = (select public.org()));
grant select on public.drafts to authenticated;
revoke all on function public.title_of(uuid, uuid) from public, anon, authenticated;
grant execute on function public.title_of(uuid, uuid) to service_role;
grant select on public.drafts to service_role;
