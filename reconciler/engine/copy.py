"""A copy of a live database's schema on the shadow, without its rows.

Dumped by pg_dump of the server's own major version or a newer one; where that is not possible (no program, a table the role may not
lock) written by the kinds' own planner. Either way the copy is accepted only when its snapshot equals the live one: a
copy that differs would make every rehearsal on it worthless. Reads the live database only.
"""

from __future__ import annotations

import os
import re
import subprocess

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.catalog.scope import OUR_TRIGGERS, OURS, Scope
from reconciler.embedded import Binaries, available
from reconciler.errors import Stalled, Waiting
from reconciler.model import Snapshot
from reconciler.pg import Url, connect, ident
from reconciler.plan.complete import complete
from reconciler.shadow import foreign, subscriptions, trial
from reconciler.shadow.scratch import Shadow

Connection = psycopg.Connection[TupleRow]

_SKIPPED = re.compile(r"^(\\(un)?restrict .*|SET transaction_timeout = .*)$", re.MULTILINE)
_DUMPER = re.compile(r"^-- Dumped by pg_dump version (\d+)", re.MULTILINE)
"""From 15 on pg_dump takes for granted that nobody may create in public, which 15 made the default, and only says where it is otherwise."""
_ROLE_FLAGS = {
    "rolsuper": "superuser", "rolinherit": "inherit", "rolcreaterole": "createrole", "rolcreatedb": "createdb",
    "rolcanlogin": "login", "rolreplication": "replication", "rolbypassrls": "bypassrls",
}  # fmt: skip
PLAN_SETTINGS = (
    "TimeZone", "DateStyle", "IntervalStyle", "default_toast_compression", "default_table_access_method", "bytea_output",
    "extra_float_digits", "xmloption", "array_nulls", "quote_all_identifiers", "standard_conforming_strings",
    "default_text_search_config", "lc_monetary", "lc_numeric",
)  # fmt: skip
"""Settings that change what a statement means or costs: a shadow has the target's."""


def settings_of(live: Connection) -> dict[str, str]:
    rows = live.execute(
        "select s.name, s.setting from pg_catalog.pg_settings as s where s.name = any(%s) order by s.name",
        (list(PLAN_SETTINGS),),
    ).fetchall()
    return {name: value for name, value in rows if not name.startswith("lc_")}


def replicate_roles(live: Connection, shadow: Shadow) -> None:
    """The live server's roles and memberships, without passwords, on a shadow server of our own.

    On a server that is not ours only missing roles are made, without any attribute: its roles are somebody's.
    """
    columns = ", ".join(f"r.{flag}" for flag in _ROLE_FLAGS)
    roles = live.execute(
        f"select r.rolname, {columns} from pg_catalog.pg_roles as r where r.rolname !~ '^pg_' order by 1"
    ).fetchall()
    there = {
        row[0]
        for row in shadow.admin.execute(
            "select r.rolname from pg_catalog.pg_roles as r order by 1"
        ).fetchall()
    }
    for name, *flags in roles:
        if name == shadow.url.user:
            continue
        if shadow.own:
            words = " ".join(
                word if on else f"no{word}" for word, on in zip(_ROLE_FLAGS.values(), flags, strict=True)
            )
        else:
            words = ""
        if name not in there:
            shadow.admin.execute(f"create role {ident(name)} {words}")
        elif shadow.own:
            shadow.admin.execute(f"alter role {ident(name)} {words}")
    if not shadow.own:
        return
    memberships = live.execute(
        "select g.rolname, m.rolname, a.admin_option from pg_catalog.pg_auth_members as a join pg_catalog.pg_roles as g on"
        " g.oid = a.roleid join pg_catalog.pg_roles as m on m.oid = a.member order by 1, 2"
    ).fetchall()
    for group, member, admin in memberships:
        if member != shadow.url.user and group != shadow.url.user:
            option = " with admin option" if admin else ""
            shadow.admin.execute(f"grant {ident(group)} to {ident(member)}{option}")
    shadow.rights[:] = _rights(live)


def lend(live: Connection, shadow: Shadow, scope: Scope, role: str) -> None:
    """Lets `role` do on a shadow of ours what a platform lets its users do with tables that are its own: put policies on them, take
    triggers off them (Supabase: supautils.policy_grants, drop_trigger_grants). There it is a member of their owners, so that a
    rehearsal may pass what the platform refuses: then the apply fails and nothing stands. Not of a superuser, nor of who is its member
    already, which PostgreSQL refuses."""
    if not shadow.own or not scope.lent or role == shadow.url.user:
        return
    owners = live.execute(
        "select distinct pg_catalog.pg_get_userbyid(c.relowner)::text from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n"
        f" on n.oid = c.relnamespace where c.relkind in ('r', 'p') and {scope.lends('n.nspname')}"
        " and not pg_catalog.pg_has_role(c.relowner, %s, 'member') order by 1",
        (role,),
    ).fetchall()
    for (owner,) in owners:
        if owner != shadow.url.user:
            shadow.admin.execute(f"grant {ident(owner)} to {ident(role)}")


def _rights(live: Connection) -> list[tuple[str, str]]:
    """Who may create schemas and temporary tables in the live database, beside its owner."""
    rows = live.execute(
        "select case when a.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee) end::text, pg_catalog.lower(a.privilege_type)"
        " from pg_catalog.pg_database as d cross join lateral"
        " pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) as a"
        " where d.datname = pg_catalog.current_database() and a.privilege_type in ('CREATE', 'TEMPORARY')"
        " and a.grantee <> d.datdba and (a.grantee = 0 or exists (select from pg_catalog.pg_roles as r where r.oid = a.grantee"
        " and r.rolname !~ '^pg_')) order by 1, 2"
    ).fetchall()
    return [(str(role), str(privilege)) for role, privilege in rows]


def copied(live: Connection, url: Url, wanted: Snapshot, shadow: Shadow, scope: Scope) -> Url:
    """A scratch database with the live schema in it. `wanted` is the live snapshot in `scope`.

    Raises Stalled when no way leads to an equal copy, with the first differences.
    """
    replicate_roles(live, shadow)
    owner = database_owner(live, shadow)
    troubles = []
    for way in (_by_pg_dump, _by_the_kinds):
        database = shadow.create(owner=owner)
        trouble = way(url, wanted, scope, shadow, database)
        if not trouble:
            with connect(database) as copy:
                differences = residue(catalog.read(copy, scope), wanted)
            if not differences:
                foreign.cut_off(database)
                foreign.forgotten(database)
                subscriptions.disarmed(database, scope)
                return database
            trouble = "; ".join(differences[:3])
        troubles.append(trouble)
        shadow.drop(database)
    with connect(url) as again:
        if catalog.fingerprint(again, scope) != wanted.fingerprint:
            raise Waiting("the live schema changed while it was copied", hint="try again")
    raise Stalled(
        f"the live schema could not be copied to the shadow: {' — '.join(troubles)}",
        hint="see that the shadow has the target's extensions, or give one with --shadow",
    )


def database_owner(live: Connection, shadow: Shadow) -> str:
    """Who owns the live database, as a role of the shadow; empty where it has none of that name or is not ours."""
    row = live.execute(
        "select pg_catalog.pg_get_userbyid(d.datdba) from pg_catalog.pg_database as d"
        " where d.datname = pg_catalog.current_database()"
    ).fetchone()
    return str(row[0]) if row and shadow.own and row[0] != shadow.url.user else ""


def _programs(major: int) -> Binaries | None:
    """pg_dump of this major, or of the next one there is."""
    return min((b for b in available() if b.major >= major), key=lambda b: b.major, default=None)


def _by_pg_dump(url: Url, wanted: Snapshot, scope: Scope, shadow: Shadow, database: Url) -> str:
    """Empty when it worked, else why not."""
    programs = _programs(wanted.major)
    if programs is None:
        return "no pg_dump of this major version"
    hidden = [f"--exclude-schema={schema}" for schema in sorted(OURS)]
    environment = {**os.environ, "PGOPTIONS": "", "PGCONNECT_TIMEOUT": "10"}
    dumped = subprocess.run(
        [programs.program("pg_dump"), "--schema-only", "--no-password", "--lock-wait-timeout=10000", *hidden],
        env={**environment, **url.environment()}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if dumped.returncode:
        return f"pg_dump: {_first_line(dumped.stderr)}"
    script = _SKIPPED.sub("", dumped.stdout)
    dumper = _DUMPER.search(script)
    if wanted.major < 15 and dumper and int(dumper[1]) >= 15:
        script = f"revoke create on schema public from public;\n{script}"
    stands_in = _standing_in(url)
    with connect(database) as copy:
        for statement in stands_in:
            copy.execute(statement.encode())
    restored = subprocess.run(
        [programs.program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"],
        env={**environment, **database.environment()}, input=script, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if restored.returncode:
        return f"psql: {_first_line(restored.stderr)}"
    if stands_in:
        with connect(database) as copy:
            for schema in sorted(OURS):
                copy.execute(f"drop schema if exists {ident(schema)} cascade".encode())
    return ""


def _standing_in(url: Url) -> list[str]:
    """What triggers of ours call on the live database, for as long as it takes to load a dump that has them; they go with it."""
    with connect(url) as live:
        called = live.execute(
            "select distinct n.nspname::text, p.proname::text from pg_catalog.pg_trigger as t join pg_catalog.pg_proc as p on p.oid ="
            " t.tgfoid join pg_catalog.pg_namespace as n on n.oid = p.pronamespace where not t.tgisinternal and t.tgname ~ %s and"
            " n.nspname = any(%s) order by 1, 2",
            (OUR_TRIGGERS, sorted(OURS)),
        ).fetchall()
    body = "returns trigger language plpgsql as 'begin return null; end'"
    return [
        *(
            f"create schema if not exists {ident(schema)}"
            for schema in sorted({schema for schema, _ in called})
        ),
        *(f"create function {ident(schema, name)}() {body}" for schema, name in called),
    ]


def _by_the_kinds(url: Url, wanted: Snapshot, scope: Scope, shadow: Shadow, database: Url) -> str:
    """The same by statements of our own. Empty when it worked, else why not."""
    try:
        with connect(database) as connection:
            empty = catalog.read(connection, scope)
            statements = complete(Context(empty, wanted, shadow.url.user))
            trial.run(connection, statements)
    except (Stalled, Unplannable) as reason:
        return str(reason)
    return ""


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "ERROR" in line or "error:" in line] or text.splitlines()
    return lines[0].strip() if lines else "failed without a message"
