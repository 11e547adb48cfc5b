"""What must stand before a statement so that the triggers of its table let it through: an order that is a draft still, stock that is left, a seat.

The rows of a world were made without triggers, and may stand in states in which nothing may be added. Knows what the text of the triggers speaks of; promises
only what was tried. Nothing is left in the world.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.material import TEXTS, Material, Values, acting, labels, same
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Column, Relation
from reconciler.shadow.tenants.tokens import mentions

Connection = psycopg.Connection[TupleRow]
Change = tuple[str, str, tuple[str, ...]]
"""A table and a column, and the statements that bring them to a state."""
_MOST = 80
"""How many states are tried for one statement."""
_SINGLES = 24
_LARGE = "1000000"
WORD = re.compile(r"'([A-Za-z]\w*)'")
"""A string in a function that may be the name of a state."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")


def favour(
    connection: Connection, material: Material, relation: Relation, sql: str, given: Sequence[str], said: str
) -> tuple[str, ...]:
    """The statements of a superuser after which somebody can run `sql`, that nobody could; none where it is not known. `said` is the text of the
    triggers' functions."""
    singles = list(islice(_changes(connection, material, relation, said), _SINGLES))
    both = ((one, other) for one, other in combinations(singles, 2) if one[:2] != other[:2])
    tries = [(one,) for one in singles], both
    for chosen in islice((changes for some in tries for changes in some), _MOST):
        extra = tuple(statement for change in chosen for statement in change[2])
        if acting(connection, material, relation, ((sql,),), (*given, *extra)).actors:
            return extra
    return ()


def beside(
    material: Material, relation: Relation, said: str
) -> Iterator[tuple[Relation, tuple[Values, ...]]]:
    """The rows that a row of this table points to, and those of tables of which its triggers speak, but for users and who belongs to what."""
    tenancy = material.world.tenancy
    rows = material.rows(relation)
    left_out = {relation.id, tenancy.users}
    left_out |= {id for id, owned in tenancy.tables.items() if owned.ownership == "membership"}
    for target in material.catalogue.tables:
        if target.id in left_out:
            continue
        keys = [key for key in relation.keys if key.target == target.oid]
        pointed = tuple(
            one
            for one in material.rows(target)
            if any(
                all(
                    rows[-1].get(own) == one.get(their)
                    for own, their in zip(key.columns, key.theirs, strict=True)
                )
                for key in keys
            )
        )
        if pointed or mentions(said, target.name):
            yield target, pointed or material.rows(target)[:3]


def is_number(column: Column | None, row: Values) -> bool:
    """Whether the row has a number there; a domain may be one, too."""
    value = row.get(column.name) if column else None
    return (
        column is not None
        and value is not None
        and bool(_NUMBER.match(value))
        and not column.type.startswith(TEXTS)
    )


def _changes(connection: Connection, material: Material, relation: Relation, said: str) -> Iterator[Change]:
    words = tuple(dict.fromkeys(WORD.findall(said)))
    rows = material.rows(relation)
    for target, held in beside(material, relation, said):
        for name in material.plain(target):
            column = target.column(name)
            # A number may be bounded by a check of its table, of which the triggers need not speak.
            known = mentions(said, name) or is_number(column, held[-1] if held else {})
            if column is None or column.generated or not known or not held:
                continue
            for value in _values(connection, column.type, column.not_null, held[-1].get(name), words):
                made = tuple(material.update(target, row, [name], {name: value}) for row in held)
                yield str(target.id), name, made
    if len(rows) > 1:
        for name in _numbered(material, relation, rows[-1]):
            # A number that a trigger deals out may be the one that a row has which was made without it.
            there = f"{ident(name)} = {ident(name)} + {_LARGE}"
            moved = tuple(
                f"update {relation.sql} as x set {there} where {same(relation, row)}" for row in rows[:-1]
            )
            yield str(relation.id), name, moved
        gone = tuple(sql for row in rows[:-1] for sql in material.away(relation, row))
        yield str(relation.id), "", gone


def _numbered(material: Material, relation: Relation, row: Values) -> list[str]:
    """The columns of unique keys that hold numbers and point to nothing."""
    pointing = {name for key in relation.keys for name in key.columns} | set(relation.primary)
    made = material.made.get(relation.oid, frozenset())
    names = dict.fromkeys(name for key in relation.unique for name in key if name not in pointing | made)
    return [name for name in names if is_number(relation.column(name), row)]


def _values(
    connection: Connection, type_: str, needed: bool, now: str | None, words: Sequence[str]
) -> Iterator[str | None]:
    """The states that a column may be brought to."""
    known: Mapping[str, str] = {"t": "true", "f": "false"}
    if type_ == "boolean":
        yield "false" if known.get(now or "", now) == "true" else "true"
    elif type_.startswith(("timestamp", "date")):
        if not needed and now is not None:
            yield None
    elif now is not None and _NUMBER.match(now) and not type_.startswith(TEXTS):
        yield from (value for value in (_LARGE, "0") if value != now)
    else:
        allowed = labels(connection, type_)
        states = allowed or (words if type_.startswith(TEXTS) else ())
        yield from (state for state in states[:8] if state != now)
