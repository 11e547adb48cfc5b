"""What PostgreSQL makes of the policies of each table: the plan of a plain select, as a role that they bind.

Only EXPLAIN, never the query: nothing is read and nothing runs but what planning runs. Promises a session that is as it was
afterwards. What could not be planned says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from reconciler.audit.rules import reach
from reconciler.audit.rules.catalog import PUBLIC, Catalog, Relation
from reconciler.audit.rules.names import on
from reconciler.pg import ident

_AS_IT_COMES = "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"
_WITH_INDEXES = ("enable_seqscan",)
_AT_MOST = 2
"""Roles asked for each table: a third one's policies are rarely of another kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`filters` are asked of every row when the table is read from end to end; `indexed` says whether an index could narrow the
    rows when that is made dear. `trouble` says why there is no plan."""

    role: str
    filters: tuple[str, ...] = ()
    indexed: bool = False
    trouble: str = ""


def explained(connection: psycopg.Connection[TupleRow], catalog: Catalog) -> Mapping[int, tuple[Plan, ...]]:
    """By table, the plan for each role that its policies let select."""
    found: dict[int, tuple[Plan, ...]] = {}
    with connection.transaction(force_rollback=True):
        connection.execute("select pg_catalog.set_config('search_path', '', true)")
        for table in catalog.tables():
            roles = tuple(_readers(catalog, table))[:_AT_MOST] if table.rls else ()
            if roles:
                found[table.oid] = tuple(_plan(connection, catalog, table, role) for role in roles)
    return found


def _readers(catalog: Catalog, table: Relation) -> Iterator[str]:
    """Roles that may select and whom a policy for it names."""
    policies = [p for p in catalog.policies_of(table) if p.permissive and "select" in p.commands]
    held = [role for role in reach.holders(catalog, table, "select") if role != PUBLIC]
    named = sorted({role for policy in policies for role in policy.roles} - {PUBLIC})
    candidates = [*named, *held] if policies else []
    for role in dict.fromkeys(candidates):
        acting = reach.acting(catalog, role)
        if (
            role in catalog.roles
            and not reach.is_unbound(catalog, role)
            and (table.forced or table.owner not in acting)
            and reach.may(catalog, role, table, "select")
            and reach.may_enter(catalog, role, table.id.schema)
            and any(acting & set(policy.roles) for policy in policies)
        ):
            yield role


def _plan(connection: psycopg.Connection[TupleRow], catalog: Catalog, table: Relation, role: str) -> Plan:
    try:
        plain = _explain(connection, table, role, _AS_IT_COMES)
        narrowed = _explain(connection, table, role, _WITH_INDEXES)
    except psycopg.Error as error:
        return Plan(role, trouble=(error.diag.message_primary or str(error)).strip())
    names = _names(catalog, table)
    filters = tuple(
        str(node["Filter"])
        for node in _nodes(plain)
        if (node.get("Schema"), node.get("Relation Name")) in names and "Filter" in node
    )
    scans = [node for node in _nodes(narrowed) if (node.get("Schema"), node.get("Relation Name")) in names]
    return Plan(role, filters, bool(scans) and all(_is_indexed(node) for node in scans))


def _names(catalog: Catalog, table: Relation) -> set[tuple[str, str]]:
    """The table and what is read with it: its partitions and heirs."""
    below = (r for r in catalog.relations.values() if r.parents and table in catalog.ancestors(r))
    return {(r.id.schema, r.id.name) for r in (table, *below)}


def _explain(
    connection: psycopg.Connection[TupleRow], table: Relation, role: str, dear: tuple[str, ...]
) -> Mapping[str, Any]:
    """One question in one message: a large database has thousands of tables."""
    settings = "".join(f"set local {setting} = off; " for setting in dear)
    with connection.transaction(force_rollback=True):
        answer = connection.execute(
            f"{settings}set local role {ident(role)}; explain (format json, verbose, costs off) select 1 from {on(table)}"
        )
        while answer.nextset():
            pass
        row = answer.fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _is_indexed(node: Mapping[str, Any]) -> bool:
    """Whether a scan is led by an index condition, by itself or in the bitmaps below it: each of them, where they are joined by OR."""
    if "Index Cond" in node:
        return True
    if node["Node Type"] == "BitmapOr":
        return all(_is_indexed(inner) for inner in node.get("Plans", ()))
    if node["Node Type"] in ("Bitmap Heap Scan", "BitmapAnd"):
        return any(_is_indexed(inner) for inner in node.get("Plans", ()))
    return False
