"""Tables that are dropped move, with everything that belongs to them; tables that are created look whether they were kept.

What would still bind the living to a table that is kept is taken off before: its place among partitions and children,
statistics objects, publications, and parts that need something this plan changes; the routine that moves it takes off foreign
keys that point out of it. The plain statements that create a table find it there, and put back what was taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reconciler.catalog.kinds import KINDS
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine import along
from reconciler.plan.quarantine.way import Way
from reconciler.plan.taken import bearers, unless_taken

_DROPS = re.compile(r"(?:\A|\s)drop table ", re.IGNORECASE)
_SPEAKING = frozenset({"policy", "rule", "trigger"})
"""Parts that may need anything, and that a statement of their own puts back."""


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: every table that is dropped is kept, and every one that is created is brought back if it was kept."""
    found: list[Statement] = []
    asked: set[ObjectId] = set()
    for statement in statements:
        table = statement.subject
        if table is not None and table.kind == "table" and way.gone(table) and _DROPS.search(statement.sql):
            found += [*_taken_off(table, way), _moved(statement, table, way)]
            continue
        new = _made(statement, way)
        if new is not None and new not in asked and not is_copied(new, way):
            asked.add(new)
            found.append(_brought_back(new, way))
        found.append(statement)
        if table is not None and creates(statement) and way.new(table) and is_copied(table, way):
            found.append(_copied_back(table, way))
    return tuple(found)


def creates(statement: Statement) -> bool:
    """Whether this is the CREATE TABLE of its subject."""
    return (
        statement.subject is not None
        and statement.subject.kind == "table"
        and re.match(r"create (unlogged )?table ", statement.sql, re.IGNORECASE) is not None
    )


def is_copied(table: ObjectId, way: Way) -> bool:
    """Whether a new table cannot simply move back: its columns would not be inherited any more (manual: ALTER TABLE, INHERIT),
    or have the type as it was when they left."""
    parents = way.after.facts[table]["inherits"] or ()
    stayed = {w.name(need) for need in way.after.edges.get(table, ()) if need in way.before.facts}
    return any(parent in stayed for parent in parents) or bool(along.remade(table, way))


def _moved(statement: Statement, table: ObjectId, way: Way) -> Statement:
    unless_empty = "false" if way.forward else "true"
    sql = (
        f"select reconciler_quarantine.keep_table({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))}, {unless_empty})"
    )
    told = Hazard(
        HazardCode.DELETES_DATA,
        f"The rows of {table} are out of reach: they are kept in schema reconciler_quarantine until reconciler purge destroys"
        " them, which spares them for 14 days unless told otherwise.",
    )
    hazards = tuple(told if h.code is HazardCode.DELETES_DATA else h for h in statement.hazards)
    reason = f"table {table}: no longer declared, its rows are kept"
    return replace(statement, sql=sql, source="catalog", hazards=hazards, reason=reason)


def _taken_off(table: ObjectId, way: Way) -> Iterator[Statement]:
    """What binds the table to others, in the order in which PostgreSQL lets go of it."""
    taken = bearers(way.after)
    for part in _bonds(table, way):
        reason = f"{part.id.kind.replace('_', ' ')} {part.id}: taken off what is kept"
        for statement in KINDS[part.id.kind].drop(part, way.context):
            plain = replace(statement, reason=reason, hazards=())
            yield unless_taken([plain], way.before.facts[table], taken)[0]
    for parent in way.before.facts[table]["inherits"] or ():
        if _stays(parent, table, way):
            sql = w.guarded(w.inherits(table, parent), f"alter table {w.name(table)} no inherit {parent}")
            yield Statement(sql, f"{table}: kept apart from {parent}, which stays", subject=table)


def _bonds(table: ObjectId, way: Way) -> list[Fact]:
    before, after = way.before, way.after
    parts = before.children.get(table, ())
    found = [p for p in parts if p.id.kind in _SPEAKING and not p["copied"] and _needs_change(p, table, way)]
    found += [p for p in parts if p.id.kind == "partition" and _stays(p["of"], table, way)]
    found += [p for p in parts if p.id.kind == "statistics"]
    users = sorted(before.dependents.get(table, ()))
    return found + [
        before.facts[user] for user in users
        if user.kind == "publication_table" and ObjectId("publication", "", user.name) in after.facts
    ]  # fmt: skip


def _stays(rendered: str, child: ObjectId, way: Way) -> bool:
    """Whether a parent, whose name PostgreSQL has rendered, is there afterwards."""
    return any(
        w.name(need) == rendered and need in way.after.facts
        for id in (child, ObjectId("partition", child.schema, child.name))
        for need in way.before.edges.get(id, ())
    )


def _needs_change(part: Fact, table: ObjectId, way: Way) -> bool:
    """Whether a policy, rule or trigger needs something of somebody else's that this plan changes or drops."""
    before, after = way.before, way.after
    return any(
        (need.schema, need.name) != (table.schema, table.name)
        and before.digests.get(need) != after.digests.get(need)
        and not (need.kind == "table" and way.gone(need))
        for need in before.edges.get(part.id, ())
    )


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


def _copied_back(table: ObjectId, way: Way) -> Statement:
    sql = (
        f"select reconciler_quarantine.copy_back({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))})"
    )
    slow = Hazard(HazardCode.REWRITES_TABLE, f"Copies the rows of {table} that were kept into it.")
    return Statement(sql, f"table {table}: the rows that were kept", hazards=(slow,), subject=table)


def _brought_back(table: ObjectId, way: Way) -> Statement:
    sql = (
        f"select reconciler_quarantine.bring_back_table({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))})"
    )
    return Statement(sql, f"table {table}: with its rows, where it was kept", subject=table)
