-- Functions that only the service role may call: one checks what it is given, the others do not.
create table public.orgs (org_id uuid primary key, name text not null);
create table public.projects (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs, title text not null, done boolean not null default false
);
create table public.files (
  id uuid primary key default gen_random_uuid(), org_id uuid not null references public.orgs,
  project_id uuid not null references public.projects, path text not null
);
do $$
declare
  t text;
begin
  foreach t in array array['orgs', 'projects', 'files'] loop
    execute format('alter table public.%I enable row level security', t);
    execute format('create policy reads on public.%I for select to authenticated using (org_id = (select nullif(auth.jwt() ->> ''org_id'', '''')::uuid))', t);
    execute format('revoke all on public.%I from anon, authenticated', t);
    execute format('grant select on public.%I to authenticated', t);
  end loop;
end
$$;

create function public.add_file(p_org_id uuid, p_project_id uuid, p_path text) returns uuid language plpgsql set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform from public.projects as p where p.org_id = p_org_id and p.id = p_project_id;
  if not found then
    raise exception using message = 'add_file: the project is not the organisation''s', table = 'projects';
  end if;
  insert into public.files (org_id, project_id, path) values (p_org_id, p_project_id, p_path) returning id into v_id;
  return v_id;
end
$$;

-- SRV001: a row of A that points to B's project
create function public.add_file_unchecked(p_org_id uuid, p_project_id uuid, p_path text) returns uuid language sql set search_path = ''
as $$ insert into public.files (org_id, project_id, path) values (p_org_id, p_project_id, p_path) returning id $$;

-- SRV001: B's project, for whoever knows its key
create function public.finish(p_org_id uuid, p_project_id uuid) returns void language plpgsql set search_path = ''
as $$
begin
  if not exists (select from public.orgs as o where o.org_id = p_org_id) then
    raise exception 'finish: no such organisation in orgs';
  end if;
  update public.projects as p set done = not p.done where p.id = p_project_id;
end
$$;

-- SRV002: B's title
create function public.title_of(p_org_id uuid, p_project_id uuid) returns text language sql stable set search_path = ''
as $$ select p.title from public.projects as p where p.id = p_project_id and p_org_id is not null $$;

-- SRV002: any number of titles
create function public.titles_of(p_org_id uuid, variadic p_projects uuid[]) returns setof text language sql stable set search_path = ''
as $$ select p.title from public.projects as p where p.id = any (p_projects) and p_org_id is not null order by 1 $$;

-- Right: each of them is asked
create function public.done_of(p_org_id uuid, variadic p_projects uuid[]) returns bigint language sql stable set search_path = ''
as $$ select count(*) from public.projects as p where p.id = any (p_projects) and p.org_id = p_org_id $$;

-- Right: both conditions
create function public.file_count(p_org_id uuid, p_project_id uuid) returns bigint language sql stable set search_path = ''
as $$ select count(*) from public.files as f where f.org_id = p_org_id and f.project_id = p_project_id $$;

-- It has nothing to compare
create function public.paths(p_org_id uuid) returns setof text language sql stable set search_path = ''
as $$ select f.path from public.files as f where f.org_id = p_org_id order by 1 $$;

revoke all on all functions in schema public from public, anon, authenticated;
grant execute on all functions in schema public to service_role;
