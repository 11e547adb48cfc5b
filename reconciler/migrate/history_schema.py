"""The tables of schema `reconciler`, as upgrades from one format to the next. Only ever appended to."""

from __future__ import annotations

from typing import Final

_REVOKED = """do $$
declare
  given record;
begin
  for given in
    select distinct c.relkind, c.oid::pg_catalog.regclass as name,
           case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end as grantee
      from pg_catalog.pg_class c
     cross join lateral pg_catalog.aclexplode(c.relacl) as a
      left join pg_catalog.pg_roles r on r.oid = a.grantee
     where c.relnamespace = 'reconciler'::pg_catalog.regnamespace and c.relkind in ('r', 'S')
       and a.grantee <> c.relowner
  loop
    execute pg_catalog.format('revoke all on %s %s from %s',
      case given.relkind when 'S' then 'sequence' else 'table' end, given.name, given.grantee);
  end loop;
end
$$
"""

_FIRST = f"""
-- A schema that an administrator made before, with its grants, stays as it is. Default privileges of the database
-- may grant a new one to others (manual, ALTER DEFAULT PRIVILEGES): that is taken back here and below.
do $$
declare
  given record;
begin
  if exists (select from pg_catalog.pg_namespace n where n.nspname = 'reconciler') then
    return;
  end if;
  create schema reconciler;
  comment on schema reconciler is 'What reconciler applied to this database. Kept by reconciler.';
  for given in
    select distinct case when a.grantee = 0 then 'public' else pg_catalog.quote_ident(r.rolname) end as grantee
      from pg_catalog.pg_namespace n
     cross join lateral pg_catalog.aclexplode(n.nspacl) as a
      left join pg_catalog.pg_roles r on r.oid = a.grantee
     where n.nspname = 'reconciler' and a.grantee <> n.nspowner
  loop
    execute pg_catalog.format('revoke all on schema reconciler from %s', given.grantee);
  end loop;
end
$$;

create table reconciler.format (
  version integer primary key,
  since   timestamptz not null default pg_catalog.now()
);
comment on table reconciler.format is 'The format of these tables: the highest version counts.';

create table reconciler.migrations (
  id          bigint generated always as identity primary key,
  version     text not null,
  slug        text not null,
  checksum    text not null,
  direction   text not null check (direction in ('up', 'down')),
  applied_by  text not null,
  client      text not null,
  started_at  timestamptz not null,
  finished_at timestamptz,
  seconds     double precision not null,
  steps_done  integer not null,
  steps       integer not null,
  up_sql      text not null,
  down_sql    text not null,
  before      text not null,
  after       text not null,
  tool        text not null,
  check (steps_done between 0 and steps)
);
comment on table reconciler.migrations is 'One row per run of an UP or DOWN; the last row of a version counts.';
create unique index one_unfinished_run on reconciler.migrations (version) where finished_at is null;

create table reconciler.inventory (
  kind    text not null,
  schema  text not null,
  name    text not null,
  part    text not null,
  version text not null,
  since   timestamptz not null default pg_catalog.now(),
  primary key (kind, schema, name, part)
);
comment on table reconciler.inventory is 'Objects that reconciler created or adopted, and may therefore drop.';

{_REVOKED}"""

_CONSENT = f"""
alter table reconciler.migrations add column consents jsonb not null default '[]';
comment on column reconciler.migrations.consents is 'The hazards that were allowed: code, how (--allow, approve, configuration), who, when.';

create table reconciler.approvals (
  id          bigint generated always as identity primary key,
  version     text not null,
  checksum    text not null,
  codes       text[] not null,
  approved_by text not null,
  client      text not null,
  approved_at timestamptz not null default pg_catalog.clock_timestamp()
);
comment on table reconciler.approvals is 'Consent to the hazards of one migration file, given beforehand; the last row of a version counts.';
{_REVOKED}
"""

_LEADER = f"""
create table reconciler.leader (
  one    boolean primary key default true check (one),
  epoch  bigint not null,
  holder text not null,
  since  timestamptz not null default pg_catalog.clock_timestamp()
);
comment on table reconciler.leader is 'Which of several daemons applies; each new leader begins a new epoch.';
{_REVOKED}
"""

_SUSPENSION = f"""
create table reconciler.suspension (
  id        bigint generated always as identity primary key,
  suspended boolean not null,
  reason    text not null,
  said_by   text not null,
  client    text not null,
  said_at   timestamptz not null default pg_catalog.clock_timestamp()
);
comment on table reconciler.suspension is 'Whether reconciling pauses here, who said so and why; the last row counts.';
{_REVOKED}
"""

UPGRADES: Final = (_FIRST, _CONSENT, _LEADER, _SUSPENSION)
"""`UPGRADES[n]` brings format n to n + 1; format 0 is a database without the schema."""

FORMAT: Final = len(UPGRADES)
