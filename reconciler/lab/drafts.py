"""What may be written twice at once to one table: rows alike, of one key, beside each other, marked, changed and taken away.

From the rows that the world has. Whether anybody can run it is found out afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.material import Material, Values, change
from reconciler.lab.neighbours import looked_at, references, without_what_is_read
from reconciler.lab.values import Draft
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.tokens import mentions

Connection = psycopg.Connection[TupleRow]
OPPOSITE = "updates-in-opposite-order"
"""Whose deadlocks are the clients' own: two transactions of two statements each."""


def drafts(
    connection: Connection, material: Material, relation: Relation, said: Mapping[int, str]
) -> Iterator[Draft]:
    """Every race of one table. `said` is the text of the functions of each table's triggers."""
    rows = material.rows(relation)
    if not rows:
        return
    last = rows[-1]
    other = rows[-2] if len(rows) > 1 else None
    away = material.away(relation, last)
    insert = material.insert(relation, last)
    yield Draft("two-inserts-of-one-key", ((insert,), (insert,)), away, frozenset({"insert"}))
    yield from references(material, relation, last, insert, away)
    yield from looked_at(connection, material, relation, last, insert, away, said)
    if other is None:
        if one := change(connection, material, relation, last, last):
            yield Draft("two-updates-of-one-row", ((one,), (one,)), (), frozenset({"update"}))
        return
    natural = material.natural(relation)
    sibling = {**other, **parents(relation, last)}
    both = (*away, *material.away(relation, other))
    if natural or not relation.unique or relation.primary:
        yield Draft(
            "two-inserts-beside-each-other",
            ((insert,), (material.insert(relation, sibling),)),
            both,
            frozenset({"insert"}),
        )
    if parents(relation, other) != parents(relation, last):
        # each locks another row above it: nothing makes one wait for the other there
        apart = ((insert,), (material.insert(relation, other),))
        yield Draft("two-inserts-under-two-parents", apart, both, frozenset({"insert"}), optional=True)
    if relation.primary and not natural:
        yield from _joined(material, relation, last, other, both)
    if natural:
        # the same in everything but its key: what the triggers look up or make is the same
        alike = material.insert(relation, {**last, **{name: other[name] for name in natural}})
        pair_alike = ((insert,), (alike,))
        yield Draft("two-inserts-alike", pair_alike, both, frozenset({"insert"}), optional=True)
        yield from without_what_is_read(connection, material, relation, pair_alike, both)
        take = material.update(relation, other, natural, last)
        yield Draft(
            "insert-against-update-to-its-key", ((insert,), (take,)), away, frozenset({"insert", "update"})
        )
    there = change(connection, material, relation, other, last, away)
    if there:
        yield Draft("insert-against-update", ((insert,), (there,)), away, frozenset({"insert", "update"}))
    there = change(connection, material, relation, other, last)
    back = change(connection, material, relation, other, other)
    if there and back:
        yield Draft("two-updates-of-one-row", ((there,), (back,)), (), frozenset({"update"}))
        bare = material.away(relation, other, itself=False)
        against = ((there,), (material.delete(relation, other),))
        yield Draft("update-against-delete", against, bare, frozenset({"update", "delete"}))
    first = change(connection, material, relation, last, last)
    if there and first:
        yield Draft("two-updates-of-two-rows", ((there,), (first,)), (), frozenset({"update"}))
        crossed = ((there, first), (first, there))
        yield Draft(OPPOSITE, crossed, (), frozenset({"update"}))
    gone = (material.delete(relation, other),)
    bare = material.away(relation, other, itself=False)
    yield Draft("insert-against-delete", ((insert,), gone), (*away, *bare), frozenset({"insert", "delete"}))
    bare = (*material.away(relation, last, itself=False), *bare)
    both_gone = ((material.delete(relation, last),), gone)
    yield Draft("two-deletes-of-two-rows", both_gone, bare, frozenset({"delete"}))


def marked(material: Material, relation: Relation, said: str) -> Iterator[Draft]:
    """Two rows get a mark that the triggers' functions speak of (is_default, primary): at most one of them may keep it, or it counts."""
    rows = material.rows(relation)
    if len(rows) < 2:
        return
    last, other = rows[-1], rows[-2]
    above = parents(relation, last)
    beside = {**other, **above}
    both = (*material.away(relation, last), *material.away(relation, other))
    for column in relation.columns:
        if column.type != "boolean" or column.generated or not mentions(said, column.name):
            continue
        to = {column.name: "false" if last.get(column.name) in ("t", "true") else "true"}
        inserts = tuple((material.insert(relation, {**row, **to}),) for row in (last, beside))
        yield Draft(f"two-inserts-with-{column.name}", inserts, both, frozenset({"insert"}), optional=True)
        updates = tuple((material.update(relation, row, (column.name,), to),) for row in (last, other))
        # Both without the mark, under the same parents: in replica mode nothing but the table's own keys minds.
        moved = (material.update(relation, other, (*above, column.name), last),)
        yield Draft(f"two-updates-of-{column.name}", updates, moved, frozenset({"update"}), optional=True)


def three(material: Material, relation: Relation, sessions: int) -> Iterator[Draft]:
    rows = material.rows(relation)
    if sessions > 2 and rows:
        insert = (material.insert(relation, rows[-1]),)
        away = material.away(relation, rows[-1])
        yield Draft("three-inserts-of-one-key", (insert, insert, insert), away, frozenset({"insert"}))


def _joined(
    material: Material, relation: Relation, row: Values, other: Values, both: Sequence[str]
) -> Iterator[Draft]:
    """Two rows of a table that joins others, under one of these together: what a trigger counts there is counted by both."""
    for key in relation.keys:
        target = material.catalogue.relations.get(key.target)
        beside = {**other, **{name: row[name] for name in key.columns if name in row}}
        if target is None or not set(key.columns) < set(relation.primary) or beside in (row, other):
            continue
        pair = ((material.insert(relation, row),), (material.insert(relation, beside),))
        name = f"two-inserts-under-one-{target.name}"
        yield Draft(name, pair, tuple(both), frozenset({"insert"}), optional=True)


def parents(relation: Relation, row: Values) -> dict[str, str | None]:
    """What a row points to."""
    natural = {name for columns in relation.unique for name in columns if len(columns) == 1}
    return {n: row[n] for key in relation.keys for n in key.columns if n in row and n not in natural}
