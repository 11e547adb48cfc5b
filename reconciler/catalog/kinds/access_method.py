"""Table and index access methods (manual: CREATE ACCESS METHOD). They have no owner; only a superuser may make one."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal

TYPES = {"i": "index", "t": "table"}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_am",
        "m.oid",
        name="m.amname",
        attributes=r.attributes(
            comment=r.comment("pg_am", "m.oid"),
            type="m.amtype",
            handler="m.amhandler::text",
        ),
        source=f"pg_catalog.pg_am as m where m.oid >= 16384 and {r.outside(scope)} and {r.no_member('pg_am', 'm.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"access method {ident(fact.id.name)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_am where amname = {literal(fact.id.name)})",
        f"create {_noun(fact)} type {TYPES[fact['type']]} handler {fact['handler']}",
    )
    return [w.say(sql, f"new access method {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop access method if exists {ident(fact.id.name)}"
    return [w.say(sql, f"access method {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in ("type", "handler")):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("access_method", read, create, drop, alter)
