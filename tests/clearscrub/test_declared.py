"""The declarations themselves: they load on every major and in every world, and keep the rules that they set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from world import OWNER, SCHEMA, load, seed

from reconciler.declare import read
from reconciler.embedded import Server
from reconciler.pg import Url, connect, ident
from reconciler.platforms import prelude

# every right of every role but the owner on what is declared, as sorted text
RIGHTS = """
with ours as (
  select oid, nspname from pg_catalog.pg_namespace where nspname in ('public', 'private')
), rights (object, acl, owner) as (
  select c.relkind::text || ' ' || c.relname, coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner)), c.relowner
  from pg_catalog.pg_class as c join ours on ours.oid = c.relnamespace where c.relkind in ('r', 'v', 'm', 'p')
  union all
  select 'S ' || c.relname, coalesce(c.relacl, pg_catalog.acldefault('s', c.relowner)), c.relowner
  from pg_catalog.pg_class as c join ours on ours.oid = c.relnamespace where c.relkind = 'S'
  union all
  select 'c ' || c.relname || '.' || a.attname, a.attacl, c.relowner
  from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
  join ours on ours.oid = c.relnamespace where a.attacl is not null
  union all
  select 'f ' || p.proname, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner)), p.proowner
  from pg_catalog.pg_proc as p join ours on ours.oid = p.pronamespace
)
select object || ': ' || case grantee when 0 then 'public' else grantee::pg_catalog.regrole::text end
    || ' ' || pg_catalog.string_agg(privilege_type, ',' order by privilege_type)
from rights, pg_catalog.aclexplode(acl)
where grantee <> owner
group by object, grantee
order by 1
"""
TABLES_OF_API = ("accounts", "companies", "company_aliases", "statements", "transactions")


@pytest.mark.majors
def test_it_loads_and_its_invariants_hold(server: Server, database: Callable[..., Url]) -> None:
    """As superuser, with rows in every table, on each PostgreSQL from 14 to 18."""
    with connect(database()) as session:
        session.execute(prelude("supabase"))
        load(session)
        seed(session)
        session.execute("select refresh_account_monthly_rollups()")
        for design in read(SCHEMA).designs:
            for invariant in design.invariants:
                broken = session.execute(invariant.query).fetchall()
                assert broken == [], f"{design.trigger}: {invariant.name}"


@pytest.mark.parametrize("with_default_privileges", [True, False])
@pytest.mark.parametrize("owner", [OWNER, None])
def test_the_rights_are_those_declared_in_every_world(
    server: Server,
    template_of: Callable[[Server], Url],
    database: Callable[..., Url],
    owner: str | None,
    with_default_privileges: bool,
) -> None:
    """Supabase gives its API roles everything on new objects; a plain server gives them nothing."""
    template_of(server)  # makes the owner
    with connect(database()) as session:
        session.execute(prelude("supabase", owner=owner))
        if owner:
            session.execute(f"grant create on schema public to {ident(owner)}")
            session.execute(f"grant create on database {ident(session.info.dbname)} to {ident(owner)}")
        if not with_default_privileges:
            session.execute("drop owned by anon, authenticated, service_role")
            session.execute("grant usage on schema auth to anon, authenticated, service_role")
        load(session, owner)
        rights = [row[0] for row in session.execute(RIGHTS)]
    crud = "DELETE,INSERT,SELECT,UPDATE"
    assert rights == sorted(
        [
            "c members.role: authenticated UPDATE",
            "c organisations.name: authenticated UPDATE",
            "f current_admin_org_id: authenticated EXECUTE",
            "f current_org_id: authenticated EXECUTE",
            "f intake_submission: service_role EXECUTE",
            "f normalise_name: authenticated EXECUTE",
            "f normalise_name: service_role EXECUTE",
            "f refresh_account_monthly_rollups: service_role EXECUTE",
            "f resolve_company: authenticated EXECUTE",
            "f resolve_company: service_role EXECUTE",
            "m account_monthly_rollups: service_role SELECT",
            "r members: authenticated DELETE,SELECT",
            f"r members: service_role {crud}",
            "r organisations: authenticated SELECT",
            f"r organisations: service_role {crud}",
            "r submissions: authenticated SELECT",
            f"r submissions: service_role {crud}",
            "r trigger_audit_log: authenticated SELECT",
            "r trigger_audit_log: service_role SELECT",
            "r webhook_secrets: service_role DELETE,INSERT,SELECT",
            "v org_account_monthly_rollups: authenticated SELECT",
            *(
                f"r {table}: {role} {crud}"
                for table in TABLES_OF_API
                for role in ("authenticated", "service_role")
            ),
        ]
    )


def rows(session: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return session.execute(query).fetchall()


def test_every_table_has_its_tenant_and_row_level_security(session: psycopg.Connection) -> None:
    unfiltered = """
        select c.oid::regclass::text
        from pg_catalog.pg_class as c
        where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
          and not (c.relrowsecurity and exists (
            select from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attname = 'org_id' and a.attnotnull
          ))
        order by 1"""
    assert rows(session, unfiltered) == []


def test_the_owner_is_bound_wherever_nothing_runs_as_the_owner(session: psycopg.Connection) -> None:
    unforced = """
        select c.relname from pg_catalog.pg_class as c
        where c.relkind = 'r' and not c.relforcerowsecurity
          and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        order by 1"""
    assert [name for (name,) in rows(session, unforced)] == [
        "members",
        "statements",
        "transactions",
        "trigger_audit_log",
    ]


def test_every_reference_carries_the_organisation(session: psycopg.Connection) -> None:
    """All but members → auth.users, which belongs to no organisation."""
    without = """
        select k.conrelid::regclass::text, k.confrelid::regclass::text
        from pg_catalog.pg_constraint as k
        where k.contype = 'f' and k.connamespace in ('public'::regnamespace, 'private'::regnamespace)
          and not exists (
            select from unnest(k.conkey, k.confkey) as pair (mine, theirs)
            join pg_catalog.pg_attribute as m on m.attrelid = k.conrelid and m.attnum = pair.mine
            join pg_catalog.pg_attribute as t on t.attrelid = k.confrelid and t.attnum = pair.theirs
            where m.attname = 'org_id' and t.attname = 'org_id'
          )
        order by 1"""
    assert rows(session, without) == [("members", "auth.users")]


def test_every_reference_has_an_index_to_be_followed_back(session: psycopg.Connection) -> None:
    unindexed = """
        select k.conrelid::regclass::text, k.conname
        from pg_catalog.pg_constraint as k
        where k.contype = 'f' and k.connamespace in ('public'::regnamespace, 'private'::regnamespace)
          and not exists (
            select from pg_catalog.pg_index as i
            where i.indrelid = k.conrelid and i.indpred is null
              and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
          )
        order by 1, 2"""
    assert rows(session, unindexed) == []


def test_every_function_has_a_fixed_search_path(session: psycopg.Connection) -> None:
    loose = """
        select p.oid::regprocedure::text from pg_catalog.pg_proc as p
        where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
          and not coalesce(p.proconfig, '{}') @> array['search_path=""']
        order by 1"""
    assert rows(session, loose) == []


def test_only_what_must_runs_with_its_owners_rights(session: psycopg.Connection) -> None:
    definers = """
        select p.oid::regproc::text from pg_catalog.pg_proc as p
        where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace) and p.prosecdef
        order by 1"""
    assert [name for (name,) in rows(session, definers)] == [
        "private.current_admin_org_id",
        "private.current_org_id",
        "private.log_changes",
        "refresh_account_monthly_rollups",
    ]


def test_every_trigger_answers_the_four_questions(session: psycopg.Connection) -> None:
    answered = {
        (design.trigger.name, design.trigger.part)
        for design in read(SCHEMA).designs
        if design.invariants and design.on_error and design.concurrency and design.tenancy
    }
    existing = """
        select c.relname, t.tgname from pg_catalog.pg_trigger as t join pg_catalog.pg_class as c on c.oid = t.tgrelid
        where not t.tgisinternal and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"""
    assert answered == {(table, name) for table, name in rows(session, existing)}


def test_it_uses_no_extension(session: psycopg.Connection) -> None:
    assert rows(session, "select extname from pg_catalog.pg_extension order by 1") == [("plpgsql",)]
