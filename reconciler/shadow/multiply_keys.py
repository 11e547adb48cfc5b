"""How the columns of foreign keys are repeated together, so that every repetition finds what it points to.

For each linked column, after how many repetitions its values begin again; for numbers, how far apart repetitions are; for texts,
whether they must keep their shape. Linked columns agree in all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.shadow.multiply_values import family, is_domain, length_of, on_a_line, repeated
from reconciler.shadow.seed_solve import attempt
from reconciler.shadow.seed_tables import Table, Tables

Connection = psycopg.Connection[TupleRow]
Place = tuple[int, str]
"""OID of the table, name of the column."""

_HASHED = re.compile(r"satisfies_hash_partition\([^,]*, (\d+),")

_SHORT = 12
"""Characters that hold a number and something of the value it stands before."""


@dataclass(frozen=True, slots=True)
class Links:
    """`turns` of every linked column, `strides` of every number, and which texts are `shaped`."""

    turns: Mapping[Place, int]
    strides: Mapping[Place, int]
    shaped: frozenset[Place]

    def columns(self, oid: int) -> frozenset[str]:
        return frozenset(name for table, name in self.turns if table == oid)

    def stride(self, place: Place) -> int:
        return self.strides.get(place, 1)


def links(connection: Connection, tables: Tables, copies: Mapping[int, int]) -> Links:
    """What the repetitions of these tables must agree in, when each table has that many."""
    pairs = list(_pairs(tables, copies))
    heads = _grouped(pairs)
    compared = [((oid, a), (oid, b)) for oid in copies for a, b in companions(tables, tables.tables[oid])]
    return Links(
        turns(tables, copies),
        _strides(connection, tables, copies, _grouped([*pairs, *compared])),
        _shaped(tables, copies, heads),
    )


def moduli(table: Table) -> int:
    """Of how many rows, made up freely, one belongs into this partition by hash; 1 for other tables."""
    found = 1
    for check in table.checks:
        if not check.name:
            for modulus in _HASHED.findall(check.expression):
                found *= int(modulus)
    return found


def companions(tables: Tables, table: Table) -> Iterator[tuple[str, str]]:
    """Columns that a check compares with each other: the end of a period moves with its beginning."""
    for check in table.checks:
        names = sorted(check.columns)
        kinds = {name: family(tables.types, table.column(name)) for name in names if check.name}
        for a in names:
            for b in names:
                if a < b and kinds.get(a) and kinds[a] == kinds[b]:
                    yield a, b


def _pairs(tables: Tables, copies: Mapping[int, int]) -> Iterator[tuple[Place, Place]]:
    for oid in copies:
        for key in tables.tables[oid].keys:
            if key.target in tables.tables:
                for target in tables.tables[key.target].leaves or (key.target,):
                    for own, theirs in zip(key.columns, key.target_columns, strict=True):
                        yield (oid, own), (target, theirs)


def turns(tables: Tables, copies: Mapping[int, int]) -> dict[Place, int]:
    """For each linked column, after how many repetitions its values begin again."""
    pairs = list(_pairs(tables, copies))
    pointing = {own for own, _ in pairs}
    found: dict[Place, int] = {}
    for oid, name in {place for pair in pairs for place in pair}:
        table = tables.tables[oid]
        within = {n for check in table.checks if not check.name for n in check.columns}
        known = repeated("x", table.column(name), tables.types, "1", 1, False)
        # a column that chooses the partition stays, unless by hash, and so does one whose type knows no other values
        free = known and (name not in within or moduli(table) > 1)
        found[oid, name] = copies.get(oid, 1) if free else 1
    moved = True
    while moved:
        moved = False
        for own, theirs in pairs:
            if found[theirs] < found[own]:
                found[own], moved = found[theirs], True
            elif found[own] < min(found[theirs], copies[own[0]]) and theirs in pointing:
                found[theirs], moved = found[own], True
    return found


def _grouped(pairs: list[tuple[Place, Place]]) -> dict[Place, Place]:
    """Linked columns → one of them that stands for all."""
    heads: dict[Place, Place] = {}

    def top(place: Place) -> Place:
        while heads.setdefault(place, place) != place:
            place = heads[place]
        return place

    for own, theirs in pairs:
        heads[top(own)] = top(theirs)
    return {place: top(place) for place in heads}


def _strides(
    connection: Connection, tables: Tables, copies: Mapping[int, int], heads: Mapping[Place, Place]
) -> dict[Place, int]:
    """The span of the values there are, together for linked columns: so no repetition meets another."""
    ends: dict[Place, tuple[int, int]] = {}
    places: list[Place] = []
    for oid in copies:
        table = tables.tables[oid]
        lines = {c.name: on_a_line(c, tables.types) for c in table.columns if not c.generated}
        lines = {name: line for name, line in lines.items() if line}
        asked = ", ".join(f"floor(min({line})), ceil(max({line}))" for line in lines.values())
        answer = attempt(connection, f"select {asked} from only {table.sql}") if asked else []
        if isinstance(answer, psycopg.Error) or not answer:
            continue
        for i, name in enumerate(lines):
            low, high = answer[0][2 * i : 2 * i + 2]
            if low is not None and abs(low) < 2**62 and abs(high) < 2**62:
                head = heads.get((oid, name), (oid, name))
                was = ends.get(head, (int(low), int(high)))
                ends[head] = (min(int(low), was[0]), max(int(high), was[1]))
                places.append((oid, name))
    spans = {head: high - low + 1 for head, (low, high) in ends.items()}
    return {place: spans[heads.get(place, place)] for place in places}


def _shaped(tables: Tables, copies: Mapping[int, int], heads: Mapping[Place, Place]) -> frozenset[Place]:
    """Columns whose length is limited or whose values are checked, and those linked with them."""
    found: set[Place] = set()
    for oid in copies:
        table = tables.tables[oid]
        checked = {name for check in table.checks for name in check.columns}
        for column in table.columns:
            limit = length_of(column.type_text)
            limited = limit is not None and (limit < _SHORT or (oid, column.name) in heads)
            if limited or column.name in checked or is_domain(tables.types, column):
                found.add(heads.get((oid, column.name), (oid, column.name)))
    everything = {(oid, c.name) for oid in copies for c in tables.tables[oid].columns}
    return frozenset(place for place in everything if heads.get(place, place) in found)
