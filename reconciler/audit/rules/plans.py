"""What PostgreSQL makes of the policies of each table: the plans of plain statements, as roles that they bind.

Only EXPLAIN, never the query: nothing is read and nothing runs but what planning runs. Promises a session that is as it was
afterwards. What could not be planned says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow

from reconciler.audit.rules import reach
from reconciler.audit.rules.catalog import PUBLIC, Catalog, Command, Relation
from reconciler.audit.rules.conditions import asking, called_each_row
from reconciler.audit.rules.names import on
from reconciler.pg import ident

_AS_IT_COMES = "enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"
_WITH_INDEXES = ("enable_seqscan",)
_WRITES: Final[tuple[Command, ...]] = ("update", "delete")
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


def explained(
    connection: psycopg.Connection[TupleRow], catalog: Catalog
) -> Mapping[tuple[int, Command], tuple[Plan, ...]]:
    """By table and command, the plan for each role that its policies let do it. Of an update or delete only where a policy for it
    calls something for each row: the others say nothing that a select does not."""
    found: dict[tuple[int, Command], tuple[Plan, ...]] = {}
    with connection.transaction(force_rollback=True):
        connection.execute("select pg_catalog.set_config('search_path', '', true)")
        for table in catalog.tables():
            for command in _wanted(catalog, table) if table.rls else ():
                roles = tuple(_allowed(catalog, table, command))[:_AT_MOST]
                if roles:
                    plans = (_plan(connection, catalog, table, command, role) for role in roles)
                    found[table.oid, command] = tuple(plans)
    return found


def _wanted(catalog: Catalog, table: Relation) -> Iterator[Command]:
    yield "select"
    for command in _WRITES:
        policies = (p for p in catalog.policies_of(table) if p.using is not None and command in p.commands)
        if any(
            function.volatility == "v" or function.oid in asking(catalog)
            for policy in policies
            if policy.using is not None
            for _, function in called_each_row(catalog, policy.using.tree)
        ):
            yield command


def _allowed(catalog: Catalog, table: Relation, command: Command) -> Iterator[str]:
    """Roles that hold the privilege and whom a policy for it names."""
    policies = [p for p in catalog.policies_of(table) if p.permissive and command in p.commands]
    held = [role for role in reach.holders(catalog, table, command) if role != PUBLIC]
    named = sorted({role for policy in policies for role in policy.roles} - {PUBLIC})
    for role in dict.fromkeys([*named, *held]) if policies else ():
        acting = reach.acting(catalog, role)
        if (
            role in catalog.roles
            and not reach.is_unbound(catalog, role)
            and (table.forced or table.owner not in acting)
            and reach.may(catalog, role, table, command)
            and reach.may_enter(catalog, role, table.id.schema)
            and any(acting & set(policy.roles) for policy in policies)
        ):
            yield role


def _statement(catalog: Catalog, table: Relation, command: Command, role: str) -> str:
    """The plainest statement of its kind that the role may run."""
    if command == "select":
        return f"select 1 from {on(table)}"
    if command == "delete":
        return f"delete from {on(table)}"
    acting = reach.acting(catalog, role)
    granted = {g.column for g in table.grants if g.privilege == "update" and g.to in acting}
    column = next(
        c.name for c in table.columns if "" in granted or c.name in granted or table.owner in acting
    )
    return f"update {on(table)} set {ident(column)} = default"


def _plan(
    connection: psycopg.Connection[TupleRow], catalog: Catalog, table: Relation, command: Command, role: str
) -> Plan:
    statement = _statement(catalog, table, command, role)
    try:
        plain = _explain(connection, statement, role, _AS_IT_COMES)
        narrowed = _explain(connection, statement, role, _WITH_INDEXES) if command == "select" else {}
    except psycopg.Error as error:
        return Plan(role, trouble=(error.diag.message_primary or str(error)).strip())
    names = _names(catalog, table)
    filters = tuple(str(node["Filter"]) for node in _scans(plain, names) if "Filter" in node)
    scans = list(_scans(narrowed, names))
    return Plan(role, filters, bool(scans) and all(_is_indexed(node) for node in scans))


def _scans(plan: Mapping[str, Any], names: set[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    return (
        node
        for node in _nodes(plan)
        if (node.get("Schema"), node.get("Relation Name")) in names and node["Node Type"] != "ModifyTable"
    )


def _names(catalog: Catalog, table: Relation) -> set[tuple[str, str]]:
    """The table and what is read with it: its partitions and heirs."""
    below = (r for r in catalog.relations.values() if r.parents and table in catalog.ancestors(r))
    return {(r.id.schema, r.id.name) for r in (table, *below)}


def _explain(
    connection: psycopg.Connection[TupleRow], statement: str, role: str, dear: tuple[str, ...]
) -> Mapping[str, Any]:
    """One question in one message: a large database has thousands of tables."""
    settings = "".join(f"set local {setting} = off; " for setting in dear)
    with connection.transaction(force_rollback=True):
        answer = connection.execute(
            f"{settings}set local role {ident(role)}; explain (format json, verbose, costs off) {statement}"
        )
        while answer.nextset():
            pass
        row = answer.fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if plan:
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
