"""Schemas (manual: CREATE SCHEMA)."""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement
from reconciler.pg import ident


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_namespace",
        "n.oid",
        name="n.nspname",
        attributes=r.attributes(
            **r.common("pg_namespace", "n", "nsp", "n"),
        ),
        source=f"pg_catalog.pg_namespace as n where {r.in_scope(scope)} and {r.no_member('pg_namespace', 'n.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"schema {ident(fact.id.name)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    made = w.say(f"create schema if not exists {ident(fact.id.name)}", f"new schema {fact.id}", fact.id)
    return [made, *w.dressed(fact, context, _noun(fact), "schema")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    return [
        w.say(
            f"drop schema if exists {ident(fact.id.name)}", f"schema {fact.id}: no longer declared", fact.id
        )
    ]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    return Alteration(tuple(w.redressed(old, new, context, _noun(new), "schema")))


KIND = Kind("schema", read, create, drop, alter, replaceable=False)
