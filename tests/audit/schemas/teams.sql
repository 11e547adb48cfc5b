-- A product for teams on Supabase: organisations, memberships with three levels, work in projects. Who belongs where is asked of
-- public.memberships by two SECURITY DEFINER helpers; the owner (postgres there) is not bound by row-level security.
create schema private;
grant usage on schema private to authenticated, service_role;

create type public.org_level as enum ('owner', 'admin', 'member');
create type public.task_state as enum ('open', 'doing', 'done');

create table public.plans (
  code text primary key,
  title text not null,
  monthly_cents integer not null check (monthly_cents >= 0)
);

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null check (btrim(name) <> ''),
  plan text references public.plans (code),
  created_at timestamptz not null default now()
);

create table public.profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  display_name text not null,
  locale text not null default 'en' check (locale in ('en', 'de', 'fr')),
  updated_at timestamptz not null default now()
);

create table public.memberships (
  org_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  level public.org_level not null default 'member',
  joined_at timestamptz not null default now(),
  primary key (org_id, user_id)
);
create index memberships_user on public.memberships (user_id);

create table public.invitations (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.organizations (id) on delete cascade,
  email text not null,
  level public.org_level not null default 'member' check (level <> 'owner'),
  token text not null,
  expires_at timestamptz not null default now() + interval '7 days',
  unique (org_id, email)
);

create table public.projects (
  org_id uuid not null references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  archived boolean not null default false,
  created_by uuid references auth.users (id) on delete set null,
  updated_at timestamptz not null default now(),
  primary key (org_id, id),
  unique (org_id, name)
);
create index projects_created_by on public.projects (created_by);

create table public.tasks (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  project_id uuid not null,
  title text not null,
  state public.task_state not null default 'open',
  assignee uuid references auth.users (id) on delete set null,
  due_on date,
  updated_at timestamptz not null default now(),
  primary key (org_id, id),
  foreign key (org_id, project_id) references public.projects (org_id, id) on delete cascade
);
create index tasks_project on public.tasks (org_id, project_id);
create index tasks_assignee on public.tasks (assignee);

create table public.task_comments (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  task_id uuid not null,
  author_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  body text not null check (length(body) <= 4000),
  written_at timestamptz not null default now(),
  primary key (org_id, id),
  foreign key (org_id, task_id) references public.tasks (org_id, id) on delete cascade
);
create index task_comments_task on public.task_comments (org_id, task_id);
create index task_comments_author on public.task_comments (author_id);

create table public.labels (
  org_id uuid not null references public.organizations (id) on delete cascade,
  id uuid not null default gen_random_uuid(),
  name text not null,
  colour text not null default '#888888' check (colour ~ '^#[0-9a-f]{6}$'),
  primary key (org_id, id),
  unique (org_id, name)
);

create table public.task_labels (
  org_id uuid not null,
  task_id uuid not null,
  label_id uuid not null,
  primary key (org_id, task_id, label_id),
  foreign key (org_id, task_id) references public.tasks (org_id, id) on delete cascade,
  foreign key (org_id, label_id) references public.labels (org_id, id) on delete cascade
);
create index task_labels_label on public.task_labels (org_id, label_id);

create table public.attachments (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  task_id uuid not null,
  path text not null,
  bytes bigint not null default 0 check (bytes >= 0),
  primary key (org_id, id),
  foreign key (org_id, task_id) references public.tasks (org_id, id) on delete cascade
);
create index attachments_task on public.attachments (org_id, task_id);

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  org_id uuid not null references public.organizations (id) on delete cascade,
  name text not null,
  secret_hash bytea not null,
  revoked_at timestamptz
);
create index api_keys_org on public.api_keys (org_id);

create table public.billing_accounts (
  org_id uuid primary key references public.organizations (id) on delete cascade,
  customer_ref text,
  balance_cents bigint not null default 0
);

create table public.audit_events (
  id bigint generated always as identity primary key,
  org_id uuid not null references public.organizations (id) on delete cascade,
  actor uuid,
  action text not null,
  object text not null,
  detail jsonb,
  at timestamptz not null default now()
);
create index audit_events_org on public.audit_events (org_id, at);

-- Who belongs where: both read memberships as their owner, because its own policies ask them.
create function private.is_member(p_org uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.memberships as m where m.org_id = p_org and m.user_id = (select auth.uid())
  )
$$;

create function private.is_admin(p_org uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.memberships as m
    where m.org_id = p_org and m.user_id = (select auth.uid()) and m.level in ('owner', 'admin')
  )
$$;

create function private.shares_team(p_user uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.memberships as mine
    join public.memberships as theirs on theirs.org_id = mine.org_id
    where mine.user_id = (select auth.uid()) and theirs.user_id = p_user
  )
$$;

create function private.touch() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;

create function private.sign_comment() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.author_id := coalesce(auth.uid(), new.author_id);
  return new;
end
$$;

-- Writes the log as its owner: nobody else may.
create function private.log_tasks() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    insert into public.audit_events (org_id, actor, action, object, detail)
    select r.org_id, auth.uid(), 'delete', 'tasks', pg_catalog.jsonb_build_object('id', r.id)
    from gone as r
    where exists (select from public.organizations as o where o.id = r.org_id);
  else
    insert into public.audit_events (org_id, actor, action, object, detail)
    select r.org_id, auth.uid(), pg_catalog.lower(tg_op), 'tasks', pg_catalog.jsonb_build_object('id', r.id, 'title', r.title)
    from written as r;
  end if;
  return null;
end
$$;

create trigger touch before update on public.projects for each row execute function private.touch();
create trigger touch before update on public.tasks for each row execute function private.touch();
create trigger touch before update on public.profiles for each row execute function private.touch();
create trigger sign before insert on public.task_comments for each row execute function private.sign_comment();
create trigger log_insert after insert on public.tasks referencing new table as written
  for each statement execute function private.log_tasks();
create trigger log_update after update on public.tasks referencing new table as written
  for each statement execute function private.log_tasks();
create trigger log_delete after delete on public.tasks referencing old table as gone
  for each statement execute function private.log_tasks();

-- What the application may call.
create function public.project_progress(p_org uuid, p_project uuid) returns table (state public.task_state, tasks bigint)
language sql stable security definer set search_path = ''
as $$
  select t.state, count(*)
  from public.tasks as t
  where t.org_id = p_org and t.project_id = p_project and private.is_member(p_org)
  group by t.state
  order by t.state
$$;

create function public.search_tasks(p_words text) returns setof public.tasks
language sql stable security invoker set search_path = ''
as $$
  select t.* from public.tasks as t where t.title ilike '%' || p_words || '%' order by t.updated_at desc
$$;

create function public.rename_organization(p_org uuid, p_name text) returns void
language plpgsql security definer set search_path = ''
as $$
begin
  if not private.is_admin(p_org) then
    raise exception using errcode = 'insufficient_privilege', message = 'rename_organization: administrators only';
  end if;
  update public.organizations as o set name = p_name where o.id = p_org;
end
$$;

-- What only the service calls: it checks that the task belongs to the organisation before it writes.
create function public.attach_file(p_org uuid, p_task uuid, p_path text, p_bytes bigint) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform from public.tasks as t where t.org_id = p_org and t.id = p_task;
  if not found then
    raise exception using errcode = 'invalid_parameter_value', schema = 'public', table = 'tasks',
      message = 'attach_file: the task does not belong to the organisation';
  end if;
  insert into public.attachments (org_id, task_id, path, bytes) values (p_org, p_task, p_path, p_bytes)
  returning id into v_id;
  return v_id;
end
$$;

create view public.open_tasks with (security_invoker = true) as
  select t.org_id, t.id, t.title, t.due_on, p.name as project
  from public.tasks as t
  join public.projects as p on p.org_id = t.org_id and p.id = t.project_id
  where t.state <> 'done';

create view public.team_sizes with (security_invoker = true) as
  select o.id, o.name, count(*) as people
  from public.organizations as o
  join public.memberships as m on m.org_id = o.id
  group by o.id, o.name;

alter table public.plans enable row level security;
alter table public.organizations enable row level security;
alter table public.profiles enable row level security;
alter table public.memberships enable row level security;
alter table public.invitations enable row level security;
alter table public.projects enable row level security;
alter table public.tasks enable row level security;
alter table public.task_comments enable row level security;
alter table public.labels enable row level security;
alter table public.task_labels enable row level security;
alter table public.attachments enable row level security;
alter table public.api_keys enable row level security;
alter table public.billing_accounts enable row level security;
alter table public.audit_events enable row level security;

create policy anyone_reads on public.plans for select to anon, authenticated using (true);

create policy members_read on public.organizations for select to authenticated using (private.is_member(id));

create policy own_profile on public.profiles for select to authenticated
  using (user_id = (select auth.uid()) or private.shares_team(user_id));
create policy own_profile_add on public.profiles for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy own_profile_change on public.profiles for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create policy members_read on public.memberships for select to authenticated using (private.is_member(org_id));
create policy admins_change on public.memberships for update to authenticated
  using (private.is_admin(org_id)) with check (private.is_admin(org_id));
create policy admins_remove on public.memberships for delete to authenticated using (private.is_admin(org_id));

create policy admins_read on public.invitations for select to authenticated using (private.is_admin(org_id));
create policy admins_add on public.invitations for insert to authenticated with check (private.is_admin(org_id));
create policy admins_remove on public.invitations for delete to authenticated using (private.is_admin(org_id));

create policy members_read on public.projects for select to authenticated using (private.is_member(org_id));
create policy members_add on public.projects for insert to authenticated with check (private.is_member(org_id));
create policy members_change on public.projects for update to authenticated
  using (private.is_member(org_id)) with check (private.is_member(org_id));
create policy admins_remove on public.projects for delete to authenticated using (private.is_admin(org_id));

create policy members_read on public.tasks for select to authenticated using (private.is_member(org_id));
create policy members_add on public.tasks for insert to authenticated with check (private.is_member(org_id));
create policy members_change on public.tasks for update to authenticated
  using (private.is_member(org_id)) with check (private.is_member(org_id));
create policy members_remove on public.tasks for delete to authenticated using (private.is_member(org_id));

create policy members_read on public.task_comments for select to authenticated using (private.is_member(org_id));
create policy members_add on public.task_comments for insert to authenticated
  with check (private.is_member(org_id) and author_id = (select auth.uid()));
create policy authors_change on public.task_comments for update to authenticated
  using (private.is_member(org_id) and author_id = (select auth.uid()))
  with check (private.is_member(org_id) and author_id = (select auth.uid()));
create policy authors_remove on public.task_comments for delete to authenticated
  using (private.is_member(org_id) and author_id = (select auth.uid()));

create policy members_read on public.labels for select to authenticated using (private.is_member(org_id));
create policy members_write on public.labels for all to authenticated
  using (private.is_member(org_id)) with check (private.is_member(org_id));

create policy members_write on public.task_labels for all to authenticated
  using (private.is_member(org_id)) with check (private.is_member(org_id));

create policy members_read on public.attachments for select to authenticated using (private.is_member(org_id));
create policy members_remove on public.attachments for delete to authenticated using (private.is_member(org_id));

create policy admins_read on public.api_keys for select to authenticated using (private.is_admin(org_id));
create policy admins_add on public.api_keys for insert to authenticated with check (private.is_admin(org_id));
create policy admins_change on public.api_keys for update to authenticated
  using (private.is_admin(org_id)) with check (private.is_admin(org_id));
create policy admins_remove on public.api_keys for delete to authenticated using (private.is_admin(org_id));

create policy admins_read on public.billing_accounts for select to authenticated using (private.is_admin(org_id));

create policy admins_read on public.audit_events for select to authenticated using (private.is_admin(org_id));

-- The platform gives the API roles everything, TRUNCATE too, which row-level security does not see.
revoke all on all tables in schema public from anon, authenticated;
revoke all on all sequences in schema public from anon, authenticated;
revoke all on all functions in schema public from public, anon, authenticated;
revoke all on all functions in schema private from public, anon, authenticated, service_role;
grant select on public.plans to anon, authenticated;
grant select on public.organizations, public.attachments, public.billing_accounts, public.audit_events,
  public.open_tasks, public.team_sizes to authenticated;
grant delete on public.attachments to authenticated;
grant select, insert, update on public.profiles to authenticated;
grant select, update (level), delete on public.memberships to authenticated;
grant select, insert, delete on public.invitations to authenticated;
grant select, insert, update, delete on public.projects, public.tasks, public.task_comments, public.labels,
  public.task_labels, public.api_keys to authenticated;
grant execute on function private.is_member(uuid), private.is_admin(uuid), private.shares_team(uuid) to authenticated;
grant execute on function public.project_progress(uuid, uuid), public.search_tasks(text),
  public.rename_organization(uuid, text) to authenticated;
revoke execute on function public.project_progress(uuid, uuid), public.search_tasks(text),
  public.rename_organization(uuid, text) from service_role;
