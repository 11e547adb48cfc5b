create table if not exists public.orgs (org_id uuid primary key, name text not null);
create or replace function public.org() returns uuid language sql stable set search_path = ''
as $$ select nullif(auth.jwt() ->> 'org_id', '')::uuid $$;

create table public.projects (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  title text not null, done boolean not null default false
);
create function public.finish(p_org_id uuid, p_project_id uuid) returns void language plpgsql set search_path = '' as $$
begin
  update public.projects as p set done = not p.done where p.org_id = p_org_id and p.id = p_project_id;
  if not found then
    raise exception using message = 'finish: no such project', table = 'projects';
  end if;
end $$;
alter table public.projects enable row level security;
create policy select_own on public.projects for select to authenticated using (org_id = (select public.org()));
grant select on public.projects to authenticated;
revoke all on function public.finish(uuid, uuid) from public, anon, authenticated;
grant execute on function public.finish(uuid, uuid) to service_role;
grant select, update on public.projects to service_role;
