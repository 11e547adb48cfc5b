"""What a kept table cannot be without goes along with it: types, functions and the like that the same plan drops.

Sequences hold how far they have counted, and are kept for their own sake. Everything else has no rows: it is dropped, unless
something that is kept needs it; then it moves too, and comes back under its name before it would be created anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.retyping import TYPES
from reconciler.errors import Stalled
from reconciler.model import Hazard, HazardCode, Json, ObjectId, Snapshot, Statement
from reconciler.pg import literal
from reconciler.plan.quarantine.way import Way

NOUNS: Mapping[str, str] = {
    "function": "function", "procedure": "procedure", "aggregate": "aggregate", "enum": "type", "composite": "type", "range": "type",
    "domain": "domain", "collation": "collation", "view": "view", "text_search_configuration": "text search configuration",
    "text_search_dictionary": "text search dictionary",
}  # fmt: skip
"""Kinds that can be renamed and moved to another schema, as ALTER calls them."""


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
            if way.new(id) and id not in asked and not _asks(statement):
                asked.add(id)
                found.append(_brought_back(id, "sequence", way))
        found.append(statement)
    return tuple(found)


def _asks(statement: Statement) -> bool:
    return statement.sql.startswith("select reconciler_quarantine.")


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
            found.append(statement)
        elif id in lost | wanted and not way.gone(id) and not way.new(id) and "__replaced" in statement.sql:
            found.append(_old_one_moved(statement, id, noun, way))
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


def remade(table: ObjectId, way: Way) -> frozenset[ObjectId]:
    """The types that a table or its parts stand on and that this plan makes anew, or makes anew on its way back."""
    both = needs(way.after, [table]) & way.before.facts.keys()
    found = frozenset(
        id
        for id in both
        if id.kind in TYPES and id.kind in NOUNS and _meaning(way.before, id) != _meaning(way.after, id)
    )
    ranges = sorted(id for id in found if id.kind == "range")
    if ranges:
        raise Stalled(
            f"range type {ranges[0]} changes while table {table}, which uses it, comes or goes: its rows cannot be kept",
            hint="make two plans of it: one for the type, one for the table",
        )
    return found


def _meaning(side: Snapshot, id: ObjectId) -> dict[str, Json]:
    return {key: value for key, value in side.facts[id].attributes.items() if key not in w.COMMON}


def _drops(statement: Statement, noun: str) -> bool:
    return re.search(rf"(?:\A|\n\s*)drop {noun} ", statement.sql, re.IGNORECASE) is not None


def _creates(statement: Statement) -> bool:
    return re.search(r"(?:\A|\n\s*)create ", statement.sql, re.IGNORECASE) is not None


def _moved(statement: Statement, id: ObjectId, noun: str, way: Way) -> Statement:
    given = (statement.sql, id.kind, noun, id.schema, id.name, id.part, way.tag(id))
    sql = f"select reconciler_quarantine.drop_unless_needed({', '.join(literal(text) for text in given)})"
    return replace(
        statement, sql=sql, source="catalog", reason=f"{statement.reason}; moves along with what is kept"
    )


def _old_one_moved(statement: Statement, id: ObjectId, noun: str, way: Way) -> Statement:
    """A type that is made anew: the old one, which stepped aside, moves along when what is kept needs it."""
    aside = re.search(rf"^ *drop {noun} (.*__replaced\"?)(?=;?$)", statement.sql, re.MULTILINE)
    if aside is None:
        return statement
    name = id.name[:50] + "__replaced"
    given = (aside[0].strip(), id.kind, noun, id.schema, name, "", way.tag(id))
    call = (
        f"    perform reconciler_quarantine.drop_unless_needed({', '.join(literal(text) for text in given)})"
    )
    return replace(statement, sql=statement.sql.replace(aside[0], call))


def _brought_back(id: ObjectId, noun: str, way: Way) -> Statement:
    given = (id.kind, noun, id.schema, id.name, id.part, way.tag(id))
    sql = f"select reconciler_quarantine.bring_back({', '.join(literal(text) for text in given)})"
    return Statement(sql, f"{id.kind} {id}: as it was kept, if it was", "catalog", subject=id)
