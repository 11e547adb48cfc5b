"""What a kept table cannot be without goes along with it: types, functions and the like that the same plan drops.

Sequences hold how far they have counted, and are kept for their own sake. Everything else has no rows: it is dropped, unless
something that is kept needs it; then it moves too, and comes back under its name before it would be created anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.retyping import TYPES
from reconciler.model import Hazard, HazardCode, Json, ObjectId, Snapshot, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine.registry import if_kept
from reconciler.plan.quarantine.way import Way

NOUNS: Mapping[str, str] = {
    "function": "function", "procedure": "procedure", "aggregate": "aggregate", "enum": "type", "composite": "type",
    "domain": "domain", "collation": "collation", "view": "view", "text_search_configuration": "text search configuration",
    "text_search_dictionary": "text search dictionary",
}  # fmt: skip
"""Kinds that can be renamed and moved to another schema, as ALTER calls them."""
FIXED = frozenset(
    {"access_method", "extension", "language", "operator", "operator_class", "operator_family", "server"}
)
"""Kinds that cannot be renamed and moved: such a drop is refused as long as what is kept needs the object."""

_SPEAKING = frozenset({"policy", "rule", "trigger"})


def sequences_kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: a sequence that is dropped is kept, one that is created is brought back if it was."""
    found: list[Statement] = []
    asked: set[ObjectId] = set()
    for statement in statements:
        id = statement.subject
        if id is not None and id.kind == "sequence":
            if way.gone(id) and _drops(statement, "sequence"):
                found.append(_sequence_kept(statement, id, way))
                continue
            if way.new(id) and id not in asked and _creates(statement):
                asked.add(id)
                found.append(_brought_back(id, "sequence", way))
        found.append(statement)
    return tuple(found)


def _sequence_kept(statement: Statement, id: ObjectId, way: Way) -> Statement:
    sql = (
        f"select reconciler_quarantine.keep_sequence({literal(id.schema)}, {literal(id.name)}, {literal(way.tag(id))},"
        f" {'false' if way.forward else 'true'})"
    )
    told = Hazard(
        HazardCode.DELETES_DATA,
        f"Sequence {id} is out of reach: how far it has counted is kept until reconciler purge destroys it.",
    )
    hazards = tuple(told if h.code is HazardCode.DELETES_DATA else h for h in statement.hazards)
    return replace(
        statement,
        sql=sql,
        source="catalog",
        hazards=hazards,
        reason=f"sequence {id}: no longer declared, it is kept",
    )


def needed_kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements: what tables that are kept need moves where it would be dropped, and comes back where it would be created."""
    lost = needs(way.before, (id for id in way.before.facts if id.kind == "table" and way.gone(id)))
    wanted = needs(way.after, (id for id in way.after.facts if id.kind == "table" and way.new(id)))
    found: list[Statement] = []
    asked: set[ObjectId] = set()
    for statement in statements:
        id = statement.subject
        noun = NOUNS.get(id.kind) if id is not None else None
        if id is None or noun is None:
            found.append(
                _told(statement, id) if id is not None and id in lost and id.kind in FIXED else statement
            )
        elif _drops(statement, noun) and id in lost:
            found.append(_moved(statement, id, noun, way))
        else:
            if id in wanted and id not in asked and _creates(statement):
                asked.add(id)
                found.append(_brought_back(id, noun, way))
            found.append(statement)
    return tuple(found)


def needs(side: Snapshot, tables: Iterable[ObjectId]) -> frozenset[ObjectId]:
    """The tables and their parts, and everything these stand on."""
    todo = list(tables)
    found: set[ObjectId] = set()
    while todo:
        id = todo.pop()
        if id in found:
            continue
        found.add(id)
        todo += side.edges.get(id, ())
        todo += [part.id for part in side.children.get(id, ())]
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Uprooted:
    """A table that cannot be kept as it is, because something it stands on changes or goes and cannot move: it is kept as a copy, in
    which these columns hold text."""

    as_text: tuple[str, ...]


def uprooted(table: ObjectId, side: Snapshot, other: Snapshot) -> Uprooted | None:
    """How a table that only `side` has is kept apart from what changes between the two; None when it can move."""
    parts = side.children.get(table, ())
    own = [
        p.id
        for p in parts
        if p.id.kind not in _SPEAKING and not (p.id.kind == "constraint" and p["type"] == "f")
    ]
    shaken = {id for id in _below([table, *own], side) if _changes(id, side, other)}
    if not shaken:
        above = [p for p in parents(table, side) if p in side.facts and p not in other.facts]
        return Uprooted(()) if any(uprooted(parent, side, other) for parent in above) else None
    columns = [p for p in parts if p.id.kind == "column" and not p["generated"]]
    return Uprooted(tuple(c.id.part for c in columns if shaken & _below([c.id], side)))


def parents(table: ObjectId, side: Snapshot) -> list[ObjectId]:
    """The tables that this one is a child or a partition of."""
    none: frozenset[ObjectId] = frozenset()
    own = (table, ObjectId("partition", table.schema, table.name))
    return sorted({need for id in own for need in side.edges.get(id, none) if need.kind == "table"} - {table})


def _below(start: Iterable[ObjectId], side: Snapshot) -> set[ObjectId]:
    """What these stand on, with the parts of types."""
    found: set[ObjectId] = set()
    todo = list(start)
    while todo:
        id = todo.pop()
        if id in found:
            continue
        found.add(id)
        todo += side.edges.get(id, ())
        if id.kind in TYPES:
            todo += [
                part.id
                for part in side.children.get(id, ())
                if part.id.kind in ("domain_constraint", "attribute")
            ]
    return found


def _changes(id: ObjectId, side: Snapshot, other: Snapshot) -> bool:
    """Whether it is a type that is there before and afterwards and means something else, or goes and cannot move."""
    if id.kind in ("extension", "access_method", "range"):
        if id.kind == "range" and id in other.facts:
            return _meaning(side, id) != _meaning(other, id)
        # A range type leaves its multirange and its constructors behind when it moves.
        return id in side.facts and id not in other.facts
    if id.kind not in TYPES or id.kind == "table" or id not in side.facts or id not in other.facts:
        return False
    return _meaning(side, id) != _meaning(other, id)


def _meaning(side: Snapshot, id: ObjectId) -> list[tuple[ObjectId, dict[str, Json]]]:
    facts = [side.facts[id], *side.children.get(id, ())]
    return sorted(
        ((f.id, {key: value for key, value in f.attributes.items() if key not in w.COMMON}) for f in facts),
        key=lambda one: one[0],
    )


def _drops(statement: Statement, noun: str) -> bool:
    return re.search(rf"(?:\A|\n\s*)drop {noun} ", statement.sql, re.IGNORECASE) is not None


def _creates(statement: Statement) -> bool:
    return re.search(r"(?:\A|\n\s*)create ", statement.sql, re.IGNORECASE) is not None


def _told(statement: Statement, id: ObjectId) -> Statement:
    """A drop of what cannot move, that says so when what is kept needs it."""
    noun = id.kind.replace("_", " ")
    if not _drops(statement, noun):
        return statement
    sql = f"select reconciler_quarantine.drop_or_refuse({literal(statement.sql)}, {literal(f'{noun} {id}')})"
    return replace(statement, sql=sql, source="catalog")


def _moved(statement: Statement, id: ObjectId, noun: str, way: Way) -> Statement:
    given = (statement.sql, id.kind, noun, id.schema, id.name, id.part, way.tag(id))
    sql = f"select reconciler_quarantine.drop_unless_needed({', '.join(literal(text) for text in given)})"
    return replace(
        statement, sql=sql, source="catalog", reason=f"{statement.reason}; moves along with what is kept"
    )


def _brought_back(id: ObjectId, noun: str, way: Way) -> Statement:
    given = (id.kind, noun, id.schema, id.name, id.part, way.tag(id))
    call = f"perform reconciler_quarantine.bring_back({', '.join(literal(text) for text in given)})"
    return Statement(
        if_kept("bring_back", call), f"{id.kind} {id}: as it was kept, if it was", "catalog", subject=id
    )
