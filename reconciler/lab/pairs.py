"""The races that a trigger asks for: its table written twice at once, and against what it points to or looks at.

Every race is made from rows that stood in the world, by an identity that can run each transaction alone. What cannot be made is named with
the reason. The names are stable: the same schema gives the same races.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.invariants import Invariants
from reconciler.lab.material import TEXTS, Material, Values, acting, change, labels, prepared, without
from reconciler.lab.reach import reads
from reconciler.lab.triggers import Trigger
from reconciler.lab.values import Actor, Race
from reconciler.model import ObjectId
from reconciler.shadow.tenants.catalogue import Key, Relation
from reconciler.shadow.tenants.typical import leaving

Connection = psycopg.Connection[TupleRow]
_LOOKED_AT = 3
"""How many tables that a trigger reads are changed meanwhile, and to how many states."""
_STARTS = 8
"""How many states are tried from which a row may come to another."""
_WORD = re.compile(r"'([A-Za-z]\w*)'")
"""A string in a function that may be the name of a state."""


OPPOSITE = "updates-in-opposite-order"
"""Whose deadlocks are the clients' own: two transactions of two statements each."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A race before it is known who can run it: the statements of each transaction, and what is taken away first. `optional`: it is no
    news when nobody can. `elsewhere`: all but the first transaction change rows of other tables."""

    name: str
    scripts: tuple[tuple[str, ...], ...]
    given: tuple[str, ...] = ()
    fires: frozenset[str] = frozenset()
    optional: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A race of a table's triggers, or why there is none."""

    table: ObjectId
    name: str
    race: Race | None
    why: str = ""


def races(
    connection: Connection,
    material: Material,
    triggers: Iterable[Trigger],
    invariants: Mapping[str, str],
    sessions: int = 2,
) -> Iterator[Made]:
    """Those of every table with triggers, at no level in particular yet; with three `sessions` also one of three inserts. `connection` is a superuser's in the world's database."""
    by_table: dict[int, set[str]] = {}
    said: dict[int, str] = {}
    for trigger in triggers:
        by_table.setdefault(trigger.relation, set()).update(trigger.events)
        said[trigger.relation] = f"{said.get(trigger.relation, '')}\n{trigger.source}"
    for oid, events in by_table.items():
        relation = material.catalogue.relations.get(oid)
        if relation is None or relation.kind not in ("r", "p"):
            continue
        found = (
            *drafts(connection, material, relation, said),
            *_marked(material, relation, said[oid]),
            *_three(material, relation, sessions),
        )
        for draft in found:
            if not draft.fires & events:
                continue
            name = f"{relation.id}/{draft.name}"
            tried = acting(connection, material, relation, draft.scripts, draft.given)
            if not tried.actors and tried.meets:
                bare = replace(draft, given=(*draft.given, *without(material, tried.meets)))
                again = acting(connection, material, relation, bare.scripts, bare.given)
                draft, tried = (bare, again) if again.actors else (draft, tried)
            if tried.actors:
                asked = _protected(connection, draft, tried.actors[1:], invariants)
                race = Race(name, tried.actors, invariants=asked, given=draft.given, subject=relation.id)
                yield Made(relation.id, name, race)
            elif not draft.optional:
                yield Made(relation.id, name, None, f"nobody can run {tried.why}")
        if not material.rows(relation):
            why = material.world.unseeded.get(relation.id, "it has no row")
            yield Made(relation.id, str(relation.id), None, why)


def _protected(
    connection: Connection, draft: Draft, others: Sequence[Actor], invariants: Mapping[str, str]
) -> Mapping[str, str]:
    """The invariants that a race is asked for: a change of another table that was made up, and breaks one by itself, says nothing of the triggers."""
    if not draft.elsewhere or not invariants:
        return invariants
    broken: set[str] = set()
    for actor in others:
        with connection.transaction(force_rollback=True):
            prepared(connection, draft.given)
            for statement in (*actor.first, *actor.statements, "set constraints all immediate", "reset role"):
                connection.execute(statement.encode())
            broken |= {one.name for one in Invariants(invariants).broken(connection)}
    return {name: query for name, query in invariants.items() if name not in broken}


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
    yield from _references(material, relation, last, insert, away)
    yield from _looked_at(connection, material, relation, last, insert, away, said)
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
        yield from _without(connection, material, relation, pair_alike, both)
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


def _marked(material: Material, relation: Relation, said: str) -> Iterator[Draft]:
    """Two rows get a mark that the triggers' functions speak of (is_default, primary): at most one of them may keep it, or it counts."""
    rows = material.rows(relation)
    if len(rows) < 2:
        return
    last, other = rows[-1], rows[-2]
    above = parents(relation, last)
    beside = {**other, **above}
    both = (*material.away(relation, last), *material.away(relation, other))
    for column in relation.columns:
        if (
            column.type != "boolean"
            or column.generated
            or not re.search(rf"\b{re.escape(column.name)}\b", said)
        ):
            continue
        to = {column.name: "false" if last.get(column.name) in ("t", "true") else "true"}
        inserts = tuple((material.insert(relation, {**row, **to}),) for row in (last, beside))
        yield Draft(f"two-inserts-with-{column.name}", inserts, both, frozenset({"insert"}), optional=True)
        updates = tuple((material.update(relation, row, (column.name,), to),) for row in (last, other))
        # Both without the mark, under the same parents: in replica mode nothing but the table's own keys minds.
        moved = (material.update(relation, other, (*above, column.name), last),)
        yield Draft(f"two-updates-of-{column.name}", updates, moved, frozenset({"update"}), optional=True)


def _three(material: Material, relation: Relation, sessions: int) -> Iterator[Draft]:
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


def _references(
    material: Material, relation: Relation, row: Values, insert: str, away: Sequence[str]
) -> Iterator[Draft]:
    """The insert against the delete of each row that it points to. The row of the tenant itself is left alone."""
    root = material.world.tenancy.root
    for key in relation.keys:
        target = material.catalogue.relations.get(key.target)
        if target is None or target.id in (root, material.world.tenancy.users) or target.oid == relation.oid:
            continue
        pointed = _target(material, target, key, row)
        if pointed is not None:
            given = (*away, *material.away(target, pointed, itself=False))
            yield Draft(
                f"insert-against-delete-of-{target.name}",
                ((insert,), (material.delete(target, pointed),)),
                given,
                frozenset({"insert"}),
            )


def _target(material: Material, target: Relation, key: Key, row: Values) -> Values | None:
    wanted = [row.get(name) for name in key.columns]
    for one in material.rows(target):
        if None not in wanted and [one.get(name) for name in key.theirs] == wanted:
            return one
    return None


def _without(
    connection: Connection,
    material: Material,
    relation: Relation,
    scripts: tuple[tuple[str, ...], ...],
    given: tuple[str, ...],
) -> Iterator[Draft]:
    """Two inserts alike, where the rows are gone that their triggers look for: both may find that they have to make them."""
    for target in _read(connection, material, relation, scripts[0][0], given):
        gone = tuple(sql for row in material.rows(target) for sql in material.away(target, row))
        name = f"two-inserts-alike-without-{target.name}"
        yield Draft(name, scripts, (*given, *gone), frozenset({"insert"}), optional=True)


def _read(
    connection: Connection, material: Material, relation: Relation, insert: str, given: Sequence[str]
) -> list[Relation]:
    """The tables that an insert and its triggers read, but for itself, tenants, users and who belongs to what."""
    tried = acting(connection, material, relation, [(insert,)], given)
    if not tried.actors:
        return []
    tenancy = material.world.tenancy
    left_out = {relation.id, tenancy.root, tenancy.users}
    left_out |= {id for id, owned in tenancy.tables.items() if owned.ownership == "membership"}
    seen = reads(connection, tried.actors[0], given)
    found = [material.catalogue.relations[oid] for oid in seen if oid in material.catalogue.relations]
    return [one for one in found if one.id not in left_out][:_LOOKED_AT]


def _pointed(material: Material, relation: Relation, target: Relation, row: Values) -> tuple[Values, ...]:
    """The rows of `target` that this one points to."""
    keys = [key for key in relation.keys if key.target == target.oid]
    return tuple(one for key in keys if (one := _target(material, target, key, row)) is not None)


def _looked_at(
    connection: Connection,
    material: Material,
    relation: Relation,
    insert_row: Values,
    insert: str,
    away: Sequence[str],
    said: Mapping[int, str],
) -> Iterator[Draft]:
    """The insert against a change, and against the delete, of rows that it makes its triggers read."""
    pointed = {key.target for key in relation.keys}
    for target in _read(connection, material, relation, insert, away):
        rows = material.rows(target)
        plain = material.plain(target)
        if len(rows) > 1 and plain:
            turned = tuple(
                material.update(target, row, plain, rows[number - 1]) for number, row in enumerate(rows)
            )
            name = f"insert-against-update-of-{target.name}"
            yield Draft(name, ((insert,), turned), tuple(away), frozenset({"insert"}), elsewhere=True)
        for name, (_, then) in leaving(target).items():
            left = _pointed(material, relation, target, insert_row) or rows
            put_away = tuple(material.update(target, row, [name], {name: then}) for row in left)
            called = f"insert-against-{name}-of-{target.name}"
            yield Draft(called, ((insert,), put_away), tuple(away), frozenset({"insert"}), optional=True)
        for one in (_pointed(material, relation, target, insert_row) or rows[-1:])[:1]:
            yield from _steps(connection, material, relation, target, one, insert, away, said)
        if rows and target.oid not in pointed:
            bare = tuple(s for row in rows for s in material.away(target, row, itself=False))
            gone = tuple(material.delete(target, row) for row in rows)
            name = f"insert-against-delete-of-{target.name}"
            yield Draft(name, ((insert,), gone), (*away, *bare), frozenset({"insert"}), elsewhere=True)


def _steps(
    connection: Connection,
    material: Material,
    relation: Relation,
    target: Relation,
    row: Values,
    insert: str,
    away: Sequence[str],
    said: Mapping[int, str],
) -> Iterator[Draft]:
    """The insert against a step of this row to a state of which its triggers speak (shipped, closed), from the first state that may take
    it while the insert may still go in."""
    own = said.get(relation.oid, "")
    words = list(dict.fromkeys(_WORD.findall(own)))
    known = list(dict.fromkeys((*_WORD.findall(said.get(target.oid, "")), *words)))
    for name in material.plain(target):
        column = target.column(name)
        if column is None or not re.search(rf"\b{re.escape(name)}\b", own):
            continue
        allowed = labels(connection, column.type)
        if not allowed and not column.type.startswith(TEXTS):
            continue
        for to in [word for word in words if not allowed or word in allowed][:_LOOKED_AT]:
            step = material.update(target, row, [name], {name: to})
            for start in [label for label in (row.get(name), *(allowed or known)) if label not in (None, to)][
                :_STARTS
            ]:
                given = (*away, material.update(target, row, [name], {name: start}))
                if acting(connection, material, relation, ((insert,), (step,)), given).actors:
                    called = f"insert-against-{name}-{to}-of-{target.name}"
                    yield Draft(
                        called, ((insert,), (step,)), given, frozenset({"insert"}), True, elsewhere=True
                    )
                    break
