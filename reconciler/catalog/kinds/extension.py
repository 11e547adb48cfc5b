"""Extensions, by name (manual: CREATE EXTENSION). Their members belong to them and are never compared one by one.

The version is a note of the server's installation, not of the declaration: two servers rarely have the same packages, so it is
read by nobody unless the declaration pins it.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_extension",
        "x.oid",
        name="x.extname",
        attributes=r.attributes(
            schema="x.extnamespace::pg_catalog.regnamespace::text",
            relocatable="x.extrelocatable",
            comment="nullif(" + r.comment("pg_extension", "x.oid") + ", (select a.comment from"
            " pg_catalog.pg_available_extensions as a where a.name = x.extname))",
        ),
        source=f"pg_catalog.pg_extension as x where x.extname <> 'plpgsql' and {r.outside(scope)}",
    )


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    name = ident(fact.id.name)
    made = w.say(
        f"create extension if not exists {name} with schema {fact['schema']}",
        f"new extension {fact.id}",
        fact.id,
    )
    return [made, *w.dressed(fact, context, f"extension {name}")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    lost = Hazard(HazardCode.DELETES_DATA, f"What extension {fact.id} keeps in its own tables is gone.")
    name = ident(fact.id.name)
    return [
        w.say(f"drop extension if exists {name}", f"extension {fact.id}: no longer declared", fact.id, lost)
    ]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    name = ident(new.id.name)
    found = []
    if old["schema"] != new["schema"]:
        if not new["relocatable"]:
            return None
        found.append(w.say(f"alter extension {name} set schema {new['schema']}", f"{new.id}: schema", new.id))
    return Alteration((*found, *w.redressed(old, new, context, f"extension {name}")))


KIND = Kind("extension", read, create, drop, alter, replaceable=False)
