"""Text search templates (manual: CREATE TEXT SEARCH TEMPLATE). They have no owner; only a superuser may make one."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.text_search_parser import guarded
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement

FUNCTIONS = {"init": "tmplinit", "lexize": "tmpllexize"}


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_ts_template",
        "t.oid",
        schema="n.nspname",
        name="t.tmplname",
        attributes=r.attributes(
            comment=r.comment("pg_ts_template", "t.oid"),
            **{key: f"nullif(t.{column}::text, '-')" for key, column in FUNCTIONS.items()},
        ),
        source="pg_catalog.pg_ts_template as t join pg_catalog.pg_namespace as n on n.oid = t.tmplnamespace where"
        f" {r.in_scope(scope)} and {r.no_member('pg_ts_template', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"text search template {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    clauses = ", ".join(f"{key} = {fact[key]}" for key in FUNCTIONS if fact[key])
    sql = guarded(fact, "pg_ts_template", "tmpl", f"create {_noun(fact)} ({clauses})")
    return [
        w.say(sql, f"new text search template {fact.id}", fact.id),
        *w.dressed(fact, context, _noun(fact)),
    ]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop text search template if exists {w.name(fact.id)}"
    return [w.say(sql, f"text search template {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in FUNCTIONS):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new))))


KIND = Kind("text_search_template", read, create, drop, alter)
