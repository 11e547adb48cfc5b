"""Tables that are dropped move, with everything that belongs to them; tables that are created look whether they were kept.

What would still bind the living to a table that is kept is taken off before: foreign keys that point out of it, its place among
partitions, statistics objects, publications. The plain statements that create a table find it there, and put back what was
taken off.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.catalog.kinds import KINDS
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine.way import Way

_DROPS = re.compile(r"(?:\A|\s)drop table ", re.IGNORECASE)


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: every table that is dropped is kept, and every one that is created is brought back if it was kept."""
    found: list[Statement] = []
    asked: set[ObjectId] = set()
    for statement in statements:
        table = statement.subject
        if table is not None and table.kind == "table" and way.gone(table) and _DROPS.search(statement.sql):
            found += _kept(statement, table, way)
            continue
        new = _made(statement, way)
        if new is not None and new not in asked:
            asked.add(new)
            found.append(_brought_back(new, way))
        found.append(statement)
    return tuple(found)


def _kept(statement: Statement, table: ObjectId, way: Way) -> list[Statement]:
    unless_empty = "true" if not way.forward else "false"
    sql = (
        f"select reconciler_quarantine.keep_table({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))}, {unless_empty})"
    )
    told = Hazard(
        HazardCode.DELETES_DATA,
        f"The rows of {table} are out of reach: they are kept in schema reconciler_quarantine until reconciler purge destroys"
        " them, which it does not for the first 14 days unless told otherwise.",
    )
    others = tuple(h for h in statement.hazards if h.code is not HazardCode.DELETES_DATA)
    had = len(others) < len(statement.hazards)
    hazards = (told, *others) if had else others
    reason = f"table {table}: no longer declared, its rows are kept"
    moved = replace(statement, sql=sql, source="catalog", hazards=hazards, reason=reason)
    return [*_taken_off(table, way), moved]


def _taken_off(table: ObjectId, way: Way) -> list[Statement]:
    """What binds the table to others, in the order in which PostgreSQL lets go of it."""
    found: list[Statement] = []
    context = way.context
    for part in _bonds(table, way):
        for statement in KINDS[part.id.kind].drop(part, context):
            found.append(
                replace(statement, reason=f"{part.id.kind} {part.id}: taken off what is kept", hazards=())
            )
    return found


def _bonds(table: ObjectId, way: Way) -> list[Fact]:
    parts = way.before.children.get(table, ())
    found = [p for p in parts if p.id.kind == "partition" and _parent_stays(p, way)]
    found += [
        p for p in parts
        if p.id.kind == "constraint" and p["type"] == "f" and not p["inherited"] and not _within(p, table, way)
    ]  # fmt: skip
    found += [p for p in parts if p.id.kind == "statistics"]
    found += [
        way.before.facts[user] for user in sorted(way.before.dependents.get(table, ()))
        if user.kind == "publication_table"
    ]  # fmt: skip
    return found


def _parent_stays(partition: Fact, way: Way) -> bool:
    return any(
        need.kind == "table" and need in way.after.facts for need in way.before.edges.get(partition.id, ())
    )


def _within(key: Fact, table: ObjectId, way: Way) -> bool:
    """Whether a foreign key points to the table's own rows."""
    targets = {
        (n.schema, n.name)
        for n in way.before.edges.get(key.id, ())
        if n.kind in ("column", "constraint", "table")
    }
    return targets <= {(table.schema, table.name)}


def _made(statement: Statement, way: Way) -> ObjectId | None:
    """The new table whose first statement this is: its own, or that of a sequence which goes with one of its columns."""
    id = statement.subject
    if id is None or not way.new(id):
        return None
    if id.kind == "table":
        return id
    if id.kind == "sequence":
        owner = way.after.facts.get(ObjectId("owned_by", id.schema, id.name))
        table = ObjectId("table", owner["schema"], owner["table"]) if owner is not None else None
        return table if table is not None and way.new(table) else None
    return None


def _brought_back(table: ObjectId, way: Way) -> Statement:
    sql = (
        f"select reconciler_quarantine.bring_back_table({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))})"
    )
    return Statement(sql, f"table {table}: with its rows, where it was kept", "catalog", subject=table)
