"""User mappings: as whom a role appears on a foreign server (manual: CREATE USER MAPPING).

Named by server, part is the role (`public` for everyone). Who is neither superuser nor owner of the server sees that a
mapping exists but not its options. Passwords are placeholders: see `foreign_options`.
"""

from __future__ import annotations

from reconciler.catalog.kinds import foreign_options
from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    role = "case when m.umuser = 0 then 'public' else m.usename end"
    return r.select(
        "pg_user_mapping",
        "m.umid",
        name="m.srvname",
        part=role,
        attributes=r.attributes(
            exists="true",
            options=foreign_options.reading("m.umoptions", "'user_mapping'", "m.srvname", role),
        ),
        source=f"pg_catalog.pg_user_mappings as m where {r.outside(scope)}",
    )


def _for(fact: Fact) -> str:
    role = "public" if fact.id.part == "public" else ident(fact.id.part)
    return f"for {role} server {ident(fact.id.name)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = f"create user mapping if not exists {_for(fact)}{foreign_options.clause(fact['options'])}"
    return [w.say(sql, f"{fact.id.part} on server {fact.id.name}", fact.id)]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop user mapping if exists {_for(fact)}"
    return [w.say(sql, f"{fact.id.part} on server {fact.id.name}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    current = (
        f"(select umoptions from pg_catalog.pg_user_mappings where srvname = {literal(new.id.name)} and"
        f" usename = {literal(new.id.part)})"
    )
    alter = f"alter user mapping {_for(new)}"
    return Alteration(tuple(foreign_options.changed(old["options"], new["options"], alter, current, new)))


KIND = Kind("user_mapping", read, create, drop, alter)
