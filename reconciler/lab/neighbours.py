"""A row that goes in, against changes of the rows that it points to and of those that its triggers look at: deleted, changed, put away, or
brought to a state of which the triggers speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.favour import WORD
from reconciler.lab.material import TEXTS, Material, Values, acting, labels
from reconciler.lab.reach import reads
from reconciler.lab.values import Draft
from reconciler.shadow.tenants.catalogue import Key, Relation
from reconciler.shadow.tenants.tokens import mentions
from reconciler.shadow.tenants.typical import leaving

Connection = psycopg.Connection[TupleRow]
_LOOKED_AT = 3
"""How many tables that a trigger reads are changed meanwhile, and to how many states."""
_STARTS = 8
"""How many states are tried from which a row may come to another."""


def references(
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


def without_what_is_read(
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


def looked_at(
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
    words = list(dict.fromkeys(WORD.findall(own)))
    known = list(dict.fromkeys((*WORD.findall(said.get(target.oid, "")), *words)))
    for name in material.plain(target):
        column = target.column(name)
        if column is None or not mentions(own, name):
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
