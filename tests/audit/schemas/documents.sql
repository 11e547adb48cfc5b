-- Documents on Supabase: only workspaces name their members; projects, folders, documents, comments and what hangs on them find their
-- workspace through foreign keys, and policies ask SECURITY DEFINER helpers.
create schema access;
grant usage on schema access to authenticated;

create type access.level as enum ('read', 'write', 'manage');

create table public.workspaces (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  created_at timestamptz not null default now()
);

create table public.workspace_members (
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  level access.level not null default 'write',
  primary key (workspace_id, user_id)
);
create index workspace_members_user on public.workspace_members (user_id);

create table public.projects (
  id uuid primary key default gen_random_uuid(),
  workspace_id uuid not null references public.workspaces (id) on delete cascade,
  title text not null
);
create index projects_workspace on public.projects (workspace_id);

create table public.folders (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  parent_id uuid,
  name text not null,
  unique (project_id, id),
  foreign key (project_id, parent_id) references public.folders (project_id, id) on delete cascade
);
create index folders_parent on public.folders (project_id, parent_id);

create table public.documents (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects (id) on delete cascade,
  folder_id uuid,
  title text not null,
  body text not null default '',
  version integer not null default 1 check (version > 0),
  edited_by uuid references auth.users (id) on delete set null,
  foreign key (project_id, folder_id) references public.folders (project_id, id) on delete cascade
);
create index documents_folder on public.documents (project_id, folder_id);
create index documents_edited_by on public.documents (edited_by);

create table public.document_versions (
  document_id uuid not null references public.documents (id) on delete cascade,
  version integer not null,
  body text not null,
  primary key (document_id, version)
);

create table public.comments (
  id uuid primary key default gen_random_uuid(),
  document_id uuid not null references public.documents (id) on delete cascade,
  reply_to uuid,
  author_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  body text not null check (body <> ''),
  unique (document_id, id),
  foreign key (document_id, reply_to) references public.comments (document_id, id) on delete cascade
);
create index comments_reply on public.comments (document_id, reply_to);
create index comments_author on public.comments (author_id);

create table public.reactions (
  comment_id uuid not null references public.comments (id) on delete cascade,
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  emoji text not null check (length(emoji) between 1 and 16),
  primary key (comment_id, user_id, emoji)
);
create index reactions_user on public.reactions (user_id);

create table public.stars (
  document_id uuid not null references public.documents (id) on delete cascade,
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  primary key (document_id, user_id)
);
create index stars_user on public.stars (user_id);

create table public.share_links (
  id uuid primary key default gen_random_uuid(),
  document_id uuid not null references public.documents (id) on delete cascade,
  token_hash bytea not null,
  expires_at timestamptz not null default now() + interval '1 day'
);
create index share_links_document on public.share_links (document_id);

create table public.templates (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  body text not null
);

create table public.activity (
  id bigint generated always as identity primary key,
  document_id uuid not null references public.documents (id) on delete cascade,
  actor uuid,
  what text not null,
  at timestamptz not null default now()
);
create index activity_document on public.activity (document_id);

-- The one question, asked as the owner; everything else leads to it.
create function access.holds(p_workspace uuid, p_level access.level) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.workspace_members as m
    where m.workspace_id = p_workspace and m.user_id = (select auth.uid()) and m.level >= p_level
  )
$$;

create function access.of_project(p_project uuid, p_level access.level) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (select from public.projects as p where p.id = p_project and access.holds(p.workspace_id, p_level))
$$;

create function access.of_document(p_document uuid, p_level access.level) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (select from public.documents as d where d.id = p_document and access.of_project(d.project_id, p_level))
$$;

create function access.of_comment(p_comment uuid, p_level access.level) returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (select from public.comments as c where c.id = p_comment and access.of_document(c.document_id, p_level))
$$;

create function access.keep_version() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.document_versions (document_id, version, body)
  select o.id, o.version, o.body from before as o
  join after as n on n.id = o.id and n.version > o.version
  on conflict (document_id, version) do nothing;
  return null;
end
$$;

create function access.log_document() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.activity (document_id, actor, what)
  select w.id, auth.uid(), pg_catalog.lower(tg_op) from written as w;
  return null;
end
$$;

create function access.sign() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.edited_by := coalesce(auth.uid(), new.edited_by);
  return new;
end
$$;

create trigger sign before insert or update on public.documents for each row execute function access.sign();
create trigger keep_version after update on public.documents referencing old table as before new table as after
  for each statement execute function access.keep_version();
create trigger log_insert after insert on public.documents referencing new table as written
  for each statement execute function access.log_document();
create trigger log_update after update on public.documents referencing new table as written
  for each statement execute function access.log_document();

create function public.document_text(p_document uuid) returns text
language sql stable security definer set search_path = ''
as $$
  select d.title || E'\n\n' || d.body from public.documents as d
  where d.id = p_document and access.of_document(d.id, 'read')
$$;

create function public.move_document(p_document uuid, p_project uuid) returns void
language plpgsql security definer set search_path = ''
as $$
begin
  if not access.of_document(p_document, 'write') or not access.of_project(p_project, 'write') then
    raise exception using errcode = 'insufficient_privilege', message = 'move_document: not yours to move';
  end if;
  update public.documents as d set project_id = p_project, folder_id = null where d.id = p_document;
end
$$;

create function public.restore_version(p_document uuid, p_version integer) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_version integer;
begin
  update public.documents as d
  set body = v.body, version = d.version + 1
  from public.document_versions as v
  where d.id = p_document and v.document_id = d.id and v.version = p_version
  returning d.version into v_version;
  return v_version;
end
$$;

create view public.document_list with (security_invoker = true) as
  select d.id, d.title, p.title as project, w.name as workspace
  from public.documents as d
  join public.projects as p on p.id = d.project_id
  join public.workspaces as w on w.id = p.workspace_id;

alter table public.workspaces enable row level security;
alter table public.workspace_members enable row level security;
alter table public.projects enable row level security;
alter table public.folders enable row level security;
alter table public.documents enable row level security;
alter table public.document_versions enable row level security;
alter table public.comments enable row level security;
alter table public.reactions enable row level security;
alter table public.stars enable row level security;
alter table public.share_links enable row level security;
alter table public.templates enable row level security;
alter table public.activity enable row level security;

create policy members_read on public.workspaces for select to authenticated using (access.holds(id, 'read'));
create policy managers_change on public.workspaces for update to authenticated
  using (access.holds(id, 'manage')) with check (access.holds(id, 'manage'));
create policy members_read on public.workspace_members for select to authenticated
  using (access.holds(workspace_id, 'read'));
create policy managers_change on public.workspace_members for update to authenticated
  using (access.holds(workspace_id, 'manage')) with check (access.holds(workspace_id, 'manage'));
create policy managers_remove on public.workspace_members for delete to authenticated
  using (access.holds(workspace_id, 'manage'));

create policy members_read on public.projects for select to authenticated using (access.holds(workspace_id, 'read'));
create policy members_add on public.projects for insert to authenticated
  with check (access.holds(workspace_id, 'write'));
create policy members_change on public.projects for update to authenticated
  using (access.holds(workspace_id, 'write')) with check (access.holds(workspace_id, 'write'));
create policy managers_remove on public.projects for delete to authenticated
  using (access.holds(workspace_id, 'manage'));

create policy members_read on public.folders for select to authenticated using (access.of_project(project_id, 'read'));
create policy members_add on public.folders for insert to authenticated
  with check (access.of_project(project_id, 'write'));
create policy members_change on public.folders for update to authenticated
  using (access.of_project(project_id, 'write')) with check (access.of_project(project_id, 'write'));
create policy members_remove on public.folders for delete to authenticated
  using (access.of_project(project_id, 'write'));

create policy members_read on public.documents for select to authenticated
  using (access.of_project(project_id, 'read'));
create policy members_add on public.documents for insert to authenticated
  with check (access.of_project(project_id, 'write'));
create policy members_change on public.documents for update to authenticated
  using (access.of_project(project_id, 'write')) with check (access.of_project(project_id, 'write'));
create policy members_remove on public.documents for delete to authenticated
  using (access.of_project(project_id, 'write'));

create policy members_read on public.document_versions for select to authenticated
  using (access.of_document(document_id, 'read'));

create policy members_read on public.comments for select to authenticated
  using (access.of_document(document_id, 'read'));
create policy members_add on public.comments for insert to authenticated
  with check (author_id = (select auth.uid()) and access.of_document(document_id, 'read'));
create policy authors_change on public.comments for update to authenticated
  using (author_id = (select auth.uid()) and access.of_document(document_id, 'read'))
  with check (author_id = (select auth.uid()) and access.of_document(document_id, 'read'));
create policy authors_remove on public.comments for delete to authenticated
  using (author_id = (select auth.uid()) and access.of_document(document_id, 'read'));

create policy members_read on public.reactions for select to authenticated
  using (access.of_comment(comment_id, 'read'));
create policy own_add on public.reactions for insert to authenticated
  with check (user_id = (select auth.uid()) and access.of_comment(comment_id, 'read'));
create policy own_remove on public.reactions for delete to authenticated
  using (user_id = (select auth.uid()) and access.of_comment(comment_id, 'read'));

create policy own on public.stars to authenticated
  using (user_id = (select auth.uid()) and access.of_document(document_id, 'read'))
  with check (user_id = (select auth.uid()) and access.of_document(document_id, 'read'));

create policy writers on public.share_links to authenticated
  using (access.of_document(document_id, 'write')) with check (access.of_document(document_id, 'write'));

create policy everyone_reads on public.templates for select to authenticated using (true);

create policy members_read on public.activity for select to authenticated
  using (access.of_document(document_id, 'read'));

revoke all on all tables in schema public from anon, authenticated;
revoke all on all sequences in schema public from anon, authenticated;
revoke all on all functions in schema public from public, anon, authenticated, service_role;
revoke all on all functions in schema access from public, anon, authenticated, service_role;
grant select, update (name) on public.workspaces to authenticated;
grant select, update (level), delete on public.workspace_members to authenticated;
grant select, insert, update, delete on public.projects, public.folders, public.documents, public.comments,
  public.share_links to authenticated;
grant select, insert, delete on public.reactions, public.stars to authenticated;
grant select on public.document_versions, public.templates, public.activity, public.document_list to authenticated;
grant execute on function access.holds(uuid, access.level), access.of_project(uuid, access.level),
  access.of_document(uuid, access.level), access.of_comment(uuid, access.level) to authenticated;
grant execute on function public.document_text(uuid), public.move_document(uuid, uuid),
  public.restore_version(uuid, integer) to authenticated;
