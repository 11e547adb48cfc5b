"""Range types with their multirange types (manual: CREATE TYPE … AS RANGE).

Nothing about a range can change but its owner, grants and comment; otherwise it is made anew, and columns made of it hold
text meanwhile. The constructor functions and the multirange belong to the type.
"""

from __future__ import annotations

from reconciler.catalog.kinds import reading as r
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.kind import Alteration, Context, Kind
from reconciler.catalog.kinds.retyping import TYPES, remade
from reconciler.catalog.scope import Scope
from reconciler.model import Fact, Hazard, HazardCode, Statement
from reconciler.pg import ident, literal

DEFINING = {
    "subtype": "pg_catalog.format_type(g.rngsubtype, null)",
    # The class is said even when it is the default one: which one that is may differ between servers.
    "opclass": "(select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(o.opcname) from"
    " pg_catalog.pg_opclass as o join pg_catalog.pg_namespace as cn on cn.oid = o.opcnamespace"
    " where o.oid = g.rngsubopc)",
    "collation": "(select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(o.collname) from"
    " pg_catalog.pg_collation as o join pg_catalog.pg_namespace as cn on cn.oid = o.collnamespace join"
    " pg_catalog.pg_type as s on s.oid = g.rngsubtype where o.oid = g.rngcollation and o.oid <>"
    " s.typcollation)",
    "canonical": "nullif(g.rngcanonical::text, '-')",
    "diff": "nullif(g.rngsubdiff::text, '-')",
    "multirange": "pg_catalog.format_type(g.rngmultitypid, null)",
}
"""What makes a range, and how it is read from pg_range as g."""


def read(scope: Scope, major: int) -> str:
    return r.select(
        "pg_type",
        "t.oid",
        schema="n.nspname",
        name="t.typname",
        attributes=r.attributes(
            **r.common("pg_type", "t", "typ", "T"),
            **DEFINING,
        ),
        source="pg_catalog.pg_range as g join pg_catalog.pg_type as t on t.oid = g.rngtypid join"
        f" pg_catalog.pg_namespace as n on n.oid = t.typnamespace where {r.in_scope(scope)} and"
        f" {r.no_member('pg_type', 't.oid')}",
    )


def _noun(fact: Fact) -> str:
    return f"type {w.name(fact.id)}"


def _made(fact: Fact) -> str:
    clauses = {
        "subtype": fact["subtype"],
        "subtype_opclass": fact["opclass"],
        "collation": fact["collation"],
        "canonical": fact["canonical"],
        "subtype_diff": fact["diff"],
        "multirange_type_name": fact["multirange"],
    }
    body = ", ".join(f"{key} = {value}" for key, value in clauses.items() if value is not None)
    return f"create type {w.name(fact.id)} as range ({body})"


def create(fact: Fact, context: Context, parts: tuple[Fact, ...]) -> list[Statement]:
    sql = w.guarded(w.missing("to_regtype", w.name(fact.id)), _made(fact))
    return [w.say(sql, f"new range {fact.id}", fact.id), *w.dressed(fact, context, _noun(fact), "type")]


def drop(fact: Fact, context: Context) -> list[Statement]:
    sql = f"drop type if exists {w.name(fact.id)}"
    return [w.say(sql, f"range {fact.id}: no longer declared", fact.id)]


def alter(old: Fact, new: Fact, context: Context) -> Alteration | None:
    if all(old[key] == new[key] for key in DEFINING):
        return Alteration(tuple(w.redressed(old, new, context, _noun(new), "type")))
    if not any(user.kind in TYPES | {"column"} for user in context.before.dependents.get(old.id, ())):
        return None
    there = ", ".join(f"({expression})::text" for expression in DEFINING.values())
    wanted = ", ".join(literal(str(new[key])) if new[key] is not None else "null" for key in DEFINING)
    outdated = (
        f"exists (select from pg_catalog.pg_range as g where g.rngtypid = {literal(w.name(new.id))}::pg_catalog.regtype"
        f" and array[{there}] is distinct from array[{wanted}]::text[])"
    )
    doubt = Hazard(HazardCode.DEPENDS_ON_DATA, f"Fails while a value cannot be read as the new {new.id}.")
    dress = w.dressed(new, context, _noun(new), "type")
    return remade(old, new, context, "type", _made(new), outdated, _carried, dress, doubt, by_text=True)


def _carried(column: Fact) -> str:
    return f"{ident(column.id.part)}::{column['type']}"


KIND = Kind("range", read, create, drop, alter)
