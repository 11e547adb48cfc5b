"""Conversions between encodings (manual: CREATE CONVERSION)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_conversion",
        "c.oid",
        schema="n.nspname",
        name="c.conname",
        attributes=r.attributes(
            owner=r.owner("c.conowner"),
            comment=r.comment("pg_conversion", "c.oid"),
            default="nullif(c.condefault, false)",
            source="pg_catalog.pg_encoding_to_char(c.conforencoding)",
            target="pg_catalog.pg_encoding_to_char(c.contoencoding)",
            function="c.conproc::text",
        ),
        source="pg_catalog.pg_conversion as c join pg_catalog.pg_namespace as n on n.oid = c.connamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_conversion', 'c.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"conversion {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    default = "default " if fact["default"] else ""
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_conversion where conname = {literal(fact.id.name)} and connamespace ="
        f" pg_catalog.to_regnamespace({literal(ident(fact.id.schema))}))",
        f"create {default}{_noun(fact)} for {literal(fact['source'])} to {literal(fact['target'])} from {fact['function']}",
    )
    return [w.say(sql, f"new conversion {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop conversion if exists {w.name(fact.id)}"
    return [w.say(sql, f"conversion {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in ("default", "source", "target", "function")):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("conversion", read, create, drop, alter)
