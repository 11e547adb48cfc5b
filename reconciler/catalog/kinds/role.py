"""Roles (manual: CREATE ROLE). They belong to the whole server, so they are read only with `Scope.cluster`.

Passwords are never read, compared or written: who may log in is created without one. Settings that hold in one
database only are left to a person; those of the role itself are compared.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal

FLAGS = {
    "superuser": "nosuperuser",
    "inherit": "noinherit",
    "createrole": "nocreaterole",
    "createdb": "nocreatedb",
    "login": "nologin",
    "replication": "noreplication",
    "bypassrls": "nobypassrls",
}
POWERS = ("superuser", "createrole", "replication", "bypassrls")
LISTS = frozenset({"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"})
"""Settings whose value is a list of names, each of which is quoted by itself (as pg_dump does)."""


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_authid",
        "a.oid",
        name="a.rolname",
        attributes=r.attributes(
            superuser="a.rolsuper",
            inherit="a.rolinherit",
            createrole="a.rolcreaterole",
            createdb="a.rolcreatedb",
            login="a.rolcanlogin",
            replication="a.rolreplication",
            bypassrls="a.rolbypassrls",
            limit="nullif(a.rolconnlimit, -1)",
            until="case when a.rolvaliduntil <> 'infinity' then pg_catalog.to_char(a.rolvaliduntil at time zone 'utc',"
            ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\') end',
            settings="(select pg_catalog.jsonb_object_agg(pg_catalog.split_part(x, '=', 1), pg_catalog.substr(x,"
            " pg_catalog.strpos(x, '=') + 1)) from pg_catalog.pg_db_role_setting as g,"
            " pg_catalog.unnest(g.setconfig) as x where g.setrole = a.oid and g.setdatabase = 0)",
            comment="pg_catalog.shobj_description(a.oid, 'pg_authid')",
            labels="(select pg_catalog.jsonb_object_agg(l.provider, l.label) from pg_catalog.pg_shseclabel as l where"
            " l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass and l.objoid = a.oid)",
        ),
        source=f"pg_catalog.pg_roles as a where a.oid >= 16384 and {r.cluster(scope)}",
    )


def _noun(fact: Fact) -> str:
    return f"role {ident(fact.id.name)}"


def _words(old: Fact | None, new: Fact) -> list[str]:
    found = [
        on if new[on] else off for on, off in FLAGS.items() if old is None or bool(old[on]) != bool(new[on])
    ]
    if (old["limit"] if old else None) != new["limit"]:
        found.append(f"connection limit {-1 if new['limit'] is None else new['limit']}")
    if (old["until"] if old else None) != new["until"]:
        found.append(f"valid until {literal(new['until'] or 'infinity')}")
    return found


def _set(old: Fact | None, new: Fact) -> list[Statement]:
    before, after = (old["settings"] if old else None) or {}, new["settings"] or {}
    found = []
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        name = ".".join(ident(part) for part in key.split("."))
        if key in after:
            value = after[key] if key.lower() in LISTS else literal(after[key])
            words = f"set {name} to {value or literal('')}"
        else:
            words = f"reset {name}"
        found.append(w.say(f"alter {_noun(new)} {words}", f"{new.id}: {words}", new.id))
    return found


def _empowered(old: Fact | None, new: Fact) -> tuple[Hazard, ...]:
    gained = [power for power in POWERS if new[power] and not (old and old[power])]
    if not gained:
        return ()
    return (Hazard(HazardCode.WEAKENS_ISOLATION, f"Role {new.id} gains {', '.join(gained)}."),)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_roles where rolname = {literal(fact.id.name)})",
        f"create {_noun(fact)} {' '.join(_words(None, fact))}",
    )
    made = w.say(sql, f"new role {fact.id}", fact.id, *_empowered(None, fact))
    return [made, *_set(None, fact), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop role if exists {ident(fact.id.name)}"
    why = "fails while another database holds anything of it"
    hazards = []
    if fact["login"]:
        lost = f"Role {fact.id} can no longer log in, and its password cannot be given back."
        hazards.append(Hazard(HazardCode.IRREVERSIBLE, lost))
    return [w.say(sql, f"role {fact.id}: no longer declared; {why}", fact.id, *hazards)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if words := " ".join(_words(old, new)):
        found.append(
            w.say(f"alter {_noun(new)} {words}", f"{new.id}: {words}", new.id, *_empowered(old, new))
        )
    return Alteration((*found, *_set(old, new), *w.redressed(old, new, context, _noun(new))))


KIND = Kind("role", read, create, drop, alter, replaceable=False, drop_late=True)
