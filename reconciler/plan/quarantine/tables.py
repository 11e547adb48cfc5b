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
from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Snapshot, Statement
from reconciler.pg import ident, literal
from reconciler.plan.precedence import Name
from reconciler.plan.quarantine import along, partitions
from reconciler.plan.quarantine.registry import if_kept
from reconciler.plan.quarantine.way import Way
from reconciler.plan.taken import bearers, unless_taken

_DROPS = re.compile(r"(?:\A|\s)drop table ", re.IGNORECASE)
_CREATES = re.compile(r"create (unlogged |unique )?(table|sequence|index) ", re.IGNORECASE)
_SPEAKING = frozenset({"policy", "rule", "trigger"})
"""Parts that may need anything, and that a statement of their own puts back."""


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: every table that is dropped is kept, and every one that is created is brought back if it was kept."""
    found: list[Statement] = []
    taken = bearers(way.before)
    grown: set[ObjectId] = set()
    early = _let_go(statements, way)
    for number, statement in enumerate(statements):
        found += early.get(number, ())
        if " add value " in statement.sql and statement.subject is not None:
            grown.add(statement.subject)
        id = statement.subject
        if id is not None and _goes_along(id, way):
            continue
        if id is None or id.kind not in ("table", "sequence", "index"):
            found.append(statement)
        elif id.kind == "table" and way.gone(id) and _DROPS.search(statement.sql):
            found += [*_taken_off(id, way), _moved(statement, id, way)]
        elif not way.new(id) or not _CREATES.match(statement.sql):
            found.append(statement)
        elif id.kind != "table":
            found += [*_name_brought_back(id, way, taken), statement]
        elif is_copied(id, way):
            # A new value of an enum may not be used in the transaction that adds it (manual: ALTER TYPE, Notes).
            waits = not grown.isdisjoint(along.needs(way.after, [id]))
            found += [statement, replace(_copied_back(id, way), apart=waits)]
        else:
            found += [_brought_back(id, way, taken), statement]
    return tuple(found)


def _goes_along(id: ObjectId, way: Way) -> bool:
    """Whether this is a part of a table that is kept, and stays on it: a draft may say of each by itself that it goes."""
    fact = way.before.facts.get(id)
    if fact is None or not way.gone(id) or id.kind in ("column", "partition", "statistics"):
        return False
    whole = fact
    while whole.parent is not None and whole.parent in way.before.facts:
        whole = way.before.facts[whole.parent]
    table = whole.id
    if whole is fact or table.kind != "table" or not way.gone(table):
        return False
    if not way.forward and fact["type"] == "f" and points_to(fact, way.before) - {table}:
        # A new table without rows is dropped on the way back: what points to it, from a new one too, must be gone before.
        return False
    return id.kind not in _SPEAKING or not _needs_change(fact, table, way)


def points_to(key: Fact, side: Snapshot) -> set[ObjectId]:
    """The tables that a foreign key binds: its own, and the one it refers to."""
    return {
        ObjectId("table", need.schema, need.name)
        for need in side.edges.get(key.id, ())
        if need.kind in ("table", "column", "constraint")
    }


def _let_go(statements: tuple[Statement, ...], way: Way) -> dict[int, list[Statement]]:
    """What takes a table that goes from parents that stay, by the number of the statement before which it must stand: its own,
    or the first that changes a column of the parent, which else would change it here too."""
    first: dict[tuple[str, str], int] = {}
    for number, statement in enumerate(statements):
        id = statement.subject
        if id is not None and id.kind in ("column", "default"):
            first.setdefault((id.schema, id.name), number)
    found: dict[int, list[Statement]] = {}
    for number, statement in enumerate(statements):
        id = statement.subject
        if id is None or id.kind != "table" or not way.gone(id) or not _DROPS.search(statement.sql):
            continue
        for parent in _staying_parents(id, way):
            place = min(number, first.get((parent.schema, parent.name), number))
            found.setdefault(place, []).append(_orphaned(id, parent, way))
    return found


def _staying_parents(table: ObjectId, way: Way) -> list[ObjectId]:
    return [parent for parent in along.parents(table, way.before) if parent in way.after.facts]


def _orphaned(table: ObjectId, parent: ObjectId, way: Way) -> Statement:
    if way.is_large(table) and way.before.facts[table]["partition"]:
        reason = f"table {table}: kept apart from {parent}, which stays"
        return Statement(partitions.let_go(table, parent), reason, subject=table)
    verb = (
        f"alter table {w.name(parent)} detach partition {w.name(table)}"
        if way.before.facts[table]["partition"]
        else f"alter table {w.name(table)} no inherit {w.name(parent)}"
    )
    sql = w.guarded(w.inherits(table, w.name(parent)), verb)
    return Statement(sql, f"table {table}: kept apart from {parent}, which stays", subject=table)


def creates(statement: Statement) -> bool:
    """Whether this is the CREATE TABLE of its subject."""
    id = statement.subject
    return id is not None and id.kind == "table" and _CREATES.match(statement.sql) is not None


def is_copied(table: ObjectId, way: Way) -> bool:
    """Whether a new table cannot simply move back: its columns would not be inherited any more (manual: ALTER TABLE, INHERIT),
    or have the type as it was when they left."""
    if way.after.facts[table]["inherits"]:
        for parent in along.parents(table, way.after):
            if parent in way.before.facts or (way.new(parent) and is_copied(parent, way)):
                return True
    return along.uprooted(table, way.after, way.before) is not None


def _moved(statement: Statement, table: ObjectId, way: Way) -> Statement:
    unless_empty = "false" if way.forward else "true"
    copied = along.uprooted(table, way.before, way.after)
    as_text = ", ".join(literal(name) for name in copied.as_text) if copied is not None else ""
    sql = (
        f"select reconciler_quarantine.{'keep_table' if copied is None else 'keep_copy'}({literal(table.schema)},"
        f" {literal(table.name)}, {literal(way.tag(table))}, {unless_empty}"
        f"{'' if copied is None else f', array[{as_text}]::text[]'})"
    )
    told = Hazard(
        HazardCode.DELETES_DATA,
        f"The rows of {table} are out of reach: they are kept in schema reconciler_quarantine until reconciler purge destroys"
        " them, which spares them for 14 days unless told otherwise.",
    )
    hazards = tuple(told if h.code is HazardCode.DELETES_DATA else h for h in statement.hazards)
    if copied is not None and hazards:
        slow = Hazard(
            HazardCode.REWRITES_TABLE,
            f"Copies all rows of {table} under an exclusive lock: what it stands on changes.",
        )
        hazards = (*hazards, slow)
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
    if not _staying_parents(table, way):
        return
    for part in way.before.children.get(table, ()):
        if part.id.kind == "constraint" and part["type"] == "x" and part["inherited"]:
            # ATTACH takes over no exclusion constraint: it makes one anew.
            sql = f"alter table if exists {w.name(table)} drop constraint if exists {ident(part.id.part)}"
            yield Statement(
                sql, f"constraint {part.id}: its parent's, made anew when it comes back", subject=table
            )


def _bonds(table: ObjectId, way: Way) -> list[Fact]:
    before, after = way.before, way.after
    parts = before.children.get(table, ())
    found = [p for p in parts if p.id.kind in _SPEAKING and not p["copied"] and _needs_change(p, table, way)]
    found += [p for p in parts if p.id.kind == "index" and _needs_fixed(p, way)]
    found += [p for p in parts if p.id.kind == "statistics"]
    users = sorted(before.dependents.get(table, ()))
    return found + [
        before.facts[user] for user in users
        if user.kind == "publication_table" and ObjectId("publication", "", user.name) in after.facts
    ]  # fmt: skip


def _needs_fixed(index: Fact, way: Way) -> bool:
    """Whether an index stands on something that goes and cannot move: it is made anew when the table comes back."""
    return any(
        need.kind in along.FIXED and need not in way.after.facts
        for need in way.before.edges.get(index.id, ())
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


def _copied_back(table: ObjectId, way: Way) -> Statement:
    given = (table.schema, table.name, way.tag(table))
    call = f"perform reconciler_quarantine.copy_back({', '.join(literal(text) for text in given)})"
    sql = if_kept("copy_back", call)
    slow = Hazard(HazardCode.REWRITES_TABLE, f"Copies the rows of {table} that were kept into it.")
    return Statement(sql, f"table {table}: the rows that were kept", hazards=(slow,), subject=table)


def _brought_back(table: ObjectId, way: Way, taken: frozenset[Name]) -> Statement:
    later = ", ".join(literal(name) for name in _later(table, way, taken))
    call = (
        f"perform reconciler_quarantine.bring_back_table({literal(table.schema)}, {literal(table.name)},"
        f" {literal(way.tag(table))}, array[{later}]::text[])"
    )
    sql = if_kept("bring_back_table", call)
    return Statement(sql, f"table {table}: with its rows, where it was kept", subject=table)


def _later(table: ObjectId, way: Way, taken: frozenset[Name]) -> list[str]:
    """Names of the table's indexes that something else may still bear when the table comes back."""
    return [
        part.id.name
        for part in way.after.children.get(table, ())
        if part.id.kind == "index" and (part.id.schema, part.id.name) in taken
    ]


def _name_brought_back(id: ObjectId, way: Way, taken: frozenset[Name]) -> list[Statement]:
    """Before a sequence or index would be created that may be there, with its table, under the name it had meanwhile."""
    if id.kind == "sequence":
        owner = way.after.facts.get(ObjectId("owned_by", id.schema, id.name))
        of = ObjectId("table", owner["schema"], owner["table"]) if owner is not None else None
        if of is None or not way.new(of) or is_copied(of, way):
            return []
        names = ", ".join(literal(text) for text in (id.schema, id.name, of.name, way.tag(of)))
        sql = if_kept("bring_back_owned", f"perform reconciler_quarantine.bring_back_owned({names})")
        return [Statement(sql, f"sequence {id}: as it was, if its table was kept", subject=id)]
    table = way.after.facts[id].parent
    if table is None or not way.new(table) or (id.schema, id.name) not in taken or is_copied(table, way):
        return []
    given = (id.schema, id.name, way.tag(table))
    call = f"perform reconciler_quarantine.bring_back_name({', '.join(literal(text) for text in given)})"
    sql = if_kept("bring_back_name", call)
    return [Statement(sql, f"index {id}: under its name, if its table was kept", subject=id)]
