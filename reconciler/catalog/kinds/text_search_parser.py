"""Text search parsers (manual: CREATE TEXT SEARCH PARSER). They have no owner; only a superuser may make one."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident, literal

FUNCTIONS = {
    "start": "prsstart",
    "gettoken": "prstoken",
    "end": "prsend",
    "headline": "prsheadline",
    "lextypes": "prslextype",
}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_ts_parser",
        "p.oid",
        schema="n.nspname",
        name="p.prsname",
        attributes=r.attributes(
            comment=r.comment("pg_ts_parser", "p.oid"),
            **{key: f"nullif(p.{column}::text, '-')" for key, column in FUNCTIONS.items()},
        ),
        source="pg_catalog.pg_ts_parser as p join pg_catalog.pg_namespace as n on n.oid = p.prsnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_ts_parser', 'p.oid')}",
    )


def guarded(fact: Fact, catalog: str, prefix: str, sql: str) -> str:
    """A text search object made unless it is there: none of the four kinds has IF NOT EXISTS or OR REPLACE."""
    return w.guarded(
        f"not exists (select from pg_catalog.{catalog} where {prefix}name = {literal(fact.id.name)} and"
        f" {prefix}namespace = pg_catalog.to_regnamespace({literal(ident(fact.id.schema))}))",
        sql,
    )


def _noun(fact: Fact) -> str:
    return f"text search parser {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    clauses = ", ".join(f"{key} = {fact[key]}" for key in FUNCTIONS if fact[key])
    sql = guarded(fact, "pg_ts_parser", "prs", f"create {_noun(fact)} ({clauses})")
    return [w.say(sql, f"new text search parser {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact))]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop text search parser if exists {w.name(fact.id)}"
    return [w.say(sql, f"text search parser {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in FUNCTIONS):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("text_search_parser", read, create, drop, alter)
