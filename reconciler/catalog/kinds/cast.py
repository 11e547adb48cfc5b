"""Casts between types (manual: CREATE CAST). Named `source AS target`, with the types as PostgreSQL prints them."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement

METHODS = {"b": "without function", "i": "with inout"}
CONTEXTS = {"a": " as assignment", "i": " as implicit", "e": ""}


def read(scope: Scope, major: int) -> str:
    """Without those that come with a range type, which are part of it."""
    return r.select(
        "pg_cast",
        "k.oid",
        name="pg_catalog.format_type(k.castsource, null) || ' AS ' || pg_catalog.format_type(k.casttarget, null)",
        attributes=r.attributes(
            method="k.castmethod",
            function="case when k.castfunc <> 0 then k.castfunc::pg_catalog.regprocedure::text end",
            context="k.castcontext",
            comment=r.comment("pg_cast", "k.oid"),
        ),
        source=f"pg_catalog.pg_cast as k where k.oid >= 16384 and {r.outside(scope)} and {r.no_member('pg_cast', 'k.oid')}"
        f" and {r.no_part('pg_cast', 'k.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"cast ({fact.id.name})"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    method = METHODS.get(fact["method"]) or f"with function {fact['function']}"
    reason = f"new cast {fact.id.name}"
    found = [
        w.say(
            f"drop cast if exists ({fact.id.name})", f"{reason}: made anew when it is there already", fact.id
        ),
        w.say(f"create {_noun(fact)} {method}{CONTEXTS[fact['context']]}", reason, fact.id),
    ]
    return found + w.dressed(fact, context, _noun(fact))


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop cast if exists ({fact.id.name})"
    return [w.say(sql, f"cast {fact.id.name}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in ("method", "function", "context")):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("cast", read, create, drop, alter)
