"""How a type looks to a procedural language (manual: CREATE TRANSFORM). Named by type, part is the language."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_transform",
        "t.oid",
        name="pg_catalog.format_type(t.trftype, null)",
        part="l.lanname",
        attributes=r.attributes(
            comment=r.comment("pg_transform", "t.oid"),
            from_sql="case when t.trffromsql <> 0 then t.trffromsql::pg_catalog.regprocedure::text end",
            to_sql="case when t.trftosql <> 0 then t.trftosql::pg_catalog.regprocedure::text end",
        ),
        source="pg_catalog.pg_transform as t join pg_catalog.pg_language as l on l.oid = t.trflang where"
        f" {r.outside(scope)} and {r.no_member('pg_transform', 't.oid')}",
    )


def _for(fact: Fact) -> str:
    return f"for {fact.id.name} language {ident(fact.id.part)}"


def _made(fact: Fact, reason: str) -> Statement:
    sides = [
        f"{words} with function {fact[key]}"
        for key, words in (("from_sql", "from sql"), ("to_sql", "to sql"))
        if fact[key]
    ]
    return w.say(f"create or replace transform {_for(fact)} ({', '.join(sides)})", reason, fact.id)


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    return [_made(fact, f"new transform {_for(fact)}"), *w.dressed(fact, context, f"transform {_for(fact)}")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [
        w.say(
            f"drop transform if exists {_for(fact)}", f"transform {_for(fact)}: no longer declared", fact.id
        )
    ]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    found = []
    if any(old[key] != new[key] for key in ("from_sql", "to_sql")):
        found.append(_made(new, f"transform {_for(new)}: new functions"))
    return Alteration((*found, *w.redressed(old, new, context, f"transform {_for(new)}")))


KIND = Kind("transform", read, create, drop, alter)
