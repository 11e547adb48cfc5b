-- What a plain PostgreSQL server lacks for a schema written for Supabase: the API roles, the functions that read the
-- JWT of a request, auth.users to refer to, storage.objects and realtime.messages to put policies on, and the privileges
-- that every new object in public receives.
-- For scratch and local servers only; Supabase itself has all of this. Runs as a superuser, any number of times.
-- ${owner} is the role that will own the declared objects, already quoted.

-- Roles belong to the whole server, so several databases may be prepared at once. Advisory locks belong to one
-- database and cannot help: the lock on pg_authid makes the second preparation wait and then find the roles there.
do $$
declare
  missing name;
begin
  if 4 = (
    select count(*) from pg_catalog.pg_roles as r
    where r.rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
      and (r.rolbypassrls or r.rolname <> 'service_role')
  ) and 3 = (
    select count(distinct m.roleid) from pg_catalog.pg_auth_members as m
    where m.member = pg_catalog.to_regrole('authenticator')
      and m.roleid in (
        pg_catalog.to_regrole('anon'), pg_catalog.to_regrole('authenticated'), pg_catalog.to_regrole('service_role')
      )
  ) then
    return;
  end if;
  lock table pg_catalog.pg_authid in share row exclusive mode;
  for missing in
    select wanted.name from unnest(array['anon', 'authenticated', 'authenticator', 'service_role']) as wanted (name)
    where pg_catalog.to_regrole(wanted.name) is null
    order by wanted.name
  loop
    -- authenticator logs in on Supabase; here nothing does, so nothing needs a password
    execute pg_catalog.format('create role %I nologin noinherit', missing);
  end loop;
  alter role service_role bypassrls;
  grant anon, authenticated, service_role to authenticator;
end
$$;

create schema if not exists auth;
create schema if not exists extensions;
grant usage on schema public, auth, extensions to anon, authenticated, service_role, ${owner};

-- The claims arrive as settings of the transaction: one JSON document, or in older gateways one setting per claim.
-- A custom setting reads '' rather than NULL once a transaction of the session has set it: '' means "no claim".
create or replace function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('request.jwt.claim', true), ''),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')
  )::pg_catalog.jsonb
$$;

create or replace function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('request.jwt.claim.sub', true), ''),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb ->> 'sub'
  )::pg_catalog.uuid
$$;

create or replace function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('request.jwt.claim.role', true), ''),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb ->> 'role'
  )
$$;

create or replace function auth.email() returns text
language sql stable
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('request.jwt.claim.email', true), ''),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::pg_catalog.jsonb ->> 'email'
  )
$$;

-- The columns that schemas refer to or that triggers read; the platform's own table has more.
create table if not exists auth.users (
  id uuid primary key,
  aud text,
  role text,
  email text,
  phone text,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_anonymous boolean not null default false,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
alter table auth.users enable row level security;
grant all on auth.users to ${owner};

-- Files and channels: the tables that a project puts policies on, and the functions those ask.
create schema if not exists storage;
create schema if not exists realtime;
grant usage on schema storage, realtime to anon, authenticated, service_role, ${owner};

create table if not exists storage.buckets (
  id text primary key,
  name text not null unique,
  owner uuid,
  public boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  created_at timestamptz default now(),
  updated_at timestamptz default now()
);
create table if not exists storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  owner uuid,
  owner_id text,
  metadata jsonb,
  user_metadata jsonb,
  version text,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  unique (bucket_id, name)
);
create table if not exists realtime.messages (
  id uuid primary key default gen_random_uuid(),
  topic text not null,
  extension text not null,
  event text,
  payload jsonb,
  private boolean default false,
  inserted_at timestamp not null default now(),
  updated_at timestamp not null default now()
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
alter table realtime.messages enable row level security;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role, ${owner};
grant select, insert on realtime.messages to anon, authenticated, service_role, ${owner};

create or replace function storage.foldername(name text) returns text[]
language sql immutable
as $$ select (pg_catalog.string_to_array(name, '/'))[1 : pg_catalog.cardinality(pg_catalog.string_to_array(name, '/')) - 1] $$;

create or replace function storage.filename(name text) returns text
language sql immutable
as $$ select (pg_catalog.string_to_array(name, '/'))[pg_catalog.cardinality(pg_catalog.string_to_array(name, '/'))] $$;

create or replace function storage.extension(name text) returns text
language sql immutable
as $$ select pg_catalog.reverse(pg_catalog.split_part(pg_catalog.reverse(storage.filename(name)), '.', 1)) $$;

create or replace function realtime.topic() returns text
language sql stable
as $$ select nullif(pg_catalog.current_setting('realtime.topic', true), '') $$;

-- Supabase gives the API roles everything on what is created in public, so that only row-level security and explicit
-- revokes protect it. Reproduced because it is what a declaration meets there.
alter default privileges for role ${owner} in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role ${owner} in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges for role ${owner} in schema public grant all on functions to anon, authenticated, service_role;
