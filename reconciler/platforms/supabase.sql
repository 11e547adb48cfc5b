-- What a plain PostgreSQL server lacks for a schema written for Supabase: the API roles, the functions that read the
-- JWT of a request, auth.users to refer to, and the privileges that every new object in public receives.
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

-- Supabase gives the API roles everything on what is created in public, so that only row-level security and explicit
-- revokes protect it. Reproduced because it is what a declaration meets there.
alter default privileges for role ${owner} in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role ${owner} in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges for role ${owner} in schema public grant all on functions to anon, authenticated, service_role;
