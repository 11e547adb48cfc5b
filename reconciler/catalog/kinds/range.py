"""Range types with their multirange types (manual: CREATE TYPE … AS RANGE).

Nothing about a range can change but its owner, grants and comment; otherwise it is made anew, which PostgreSQL allows
only while no column is made of it. The constructor functions and the multirange belong to the type.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Statement

DEFINING = ("subtype", "opclass", "collation", "canonical", "diff", "multirange")


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            owner=r.owner("t.typowner"),
            acl=r.acl("t.typacl", "T", "t.typowner"),
            comment=r.comment("pg_type", "t.oid"),
            labels=r.labels("pg_type", "t.oid"),
            subtype="pg_catalog.format_type(g.rngsubtype, null)",
            # The class is said even when it is the default one: which one that is may differ between servers.
            opclass="(select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(o.opcname) from"
            " pg_catalog.pg_opclass as o join pg_catalog.pg_namespace as cn on cn.oid = o.opcnamespace"
            " where o.oid = g.rngsubopc)",
            collation="(select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(o.collname) from"
            " pg_catalog.pg_collation as o join pg_catalog.pg_namespace as cn on cn.oid = o.collnamespace join"
            " pg_catalog.pg_type as s on s.oid = g.rngsubtype where o.oid = g.rngcollation and o.oid <>"
            " s.typcollation)",
            canonical="nullif(g.rngcanonical::text, '-')",
            diff="nullif(g.rngsubdiff::text, '-')",
            multirange="pg_catalog.format_type(g.rngmultitypid, null)",
        ),
        source="pg_catalog.pg_range as g join pg_catalog.pg_type as t on t.oid = g.rngtypid join"
        f" pg_catalog.pg_namespace as n on n.oid = t.typnamespace where {r.in_scope(scope)} and"
        f" {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"type {w.name(fact.id)}"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    clauses = {
        "subtype": fact["subtype"],
        "subtype_opclass": fact["opclass"],
        "collation": fact["collation"],
        "canonical": fact["canonical"],
        "subtype_diff": fact["diff"],
        "multirange_type_name": fact["multirange"],
    }
    body = ", ".join(f"{key} = {value}" for key, value in clauses.items() if value is not None)
    made = f"create type {w.name(fact.id)} as range ({body})"
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), made)
    return [w.say(sql, f"new range {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact), "type")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop type if exists {w.name(fact.id)}"
    return [w.say(sql, f"range {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if any(old[key] != new[key] for key in DEFINING):
        return None
    return Alteration(tuple(w.redressed(old, new, context, _noun(new), "type")))


KIND = Kind("range", read, create, drop, alter)
