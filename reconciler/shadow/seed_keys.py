"""Values for the columns of foreign keys: rows that the tables they point to really have.

Keys that share columns are joined, so that one choice of rows satisfies all of them; a key that may be NULL offers that as
the last choice. Where tables need each other, the rows of one are promised (`Owed`) and made when the other is filled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident, literal
from reconciler.shadow.seed_solve import Unit, attempt, free_unit, solve
from reconciler.shadow.seed_tables import Key, Table, Tables

Connection = psycopg.Connection[TupleRow]
Choice = Mapping[str, str | None]
"""Column → value as text, or None for NULL."""

_TARGETS = 24
_JOINED = 400
_OPEN = 48
"""Rows to try for one choice, where it leaves columns open."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Rows that another table already points to: these columns must have these values."""

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What the keys leave open: `groups` of columns with their choices, keys to set `late`, keys whose target is yet to
    be filled (`promised`), columns that repeat another column of the same row (`copies`), and why it cannot be done.
    """

    groups: tuple[tuple[tuple[str, ...], tuple[Choice, ...]], ...]
    late: tuple[Key, ...]
    promised: tuple[Key, ...]
    copies: Mapping[str, str]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Relation:
    columns: tuple[str, ...]
    choices: tuple[Choice, ...]


def bound(
    connection: Connection,
    tables: Tables,
    table: Table,
    pending: frozenset[int],
    owed: Sequence[Owed],
    rows: int,
) -> Bound:
    """What the keys of `table` allow. `pending` are tables to be filled later."""
    relations = [
        _Relation(o.columns, tuple(dict(zip(o.columns, v, strict=True)) for v in o.values)) for o in owed
    ]
    late: list[Key] = []
    promised: list[Key] = []
    copies: dict[str, str] = {}
    # The widest first: a choice made for several columns says more than one made for a single column.
    for key in sorted(table.keys, key=lambda k: (-len(k.columns), k.name)):
        target = tables.tables.get(key.target)
        without = _null_choice(table, key)
        if target is None or target.oid == table.oid or target.oid in table.roots:
            if without is not None:
                late.append(key)
                relations.append(_Relation(tuple(without), (without,)))
            elif target is not None:
                copies |= {a: b for a, b in zip(key.columns, key.target_columns, strict=True) if a != b}
            continue
        choices = _rows(connection, tables, target, key)
        if not choices and (pending & {target.oid, *target.leaves}):
            if without is None:
                promised.append(key)
                choices = _imagined(connection, tables, target, key, rows)
            else:
                late.append(key)
        if without is not None:
            choices.append(without)
        if not choices:
            why = f"foreign key {ident(key.name)} needs a row of {target.sql}, which has none"
            return Bound((), (), (), {}, why)
        relations.append(_Relation(key.columns, tuple(choices)))
    groups = []
    for together in _connected(relations):
        names = tuple(dict.fromkeys(name for relation in together for name in relation.columns))
        joined = _joined(together)
        if not joined:
            return Bound((), (), (), {}, f"no rows satisfy the foreign keys over {', '.join(names)} together")
        groups.append((names, joined))
    return Bound(tuple(groups), tuple(late), tuple(promised), copies)


def units(connection: Connection, tables: Tables, table: Table, found: Bound, n: int) -> list[Unit]:
    """The choices of row n: the n-th row of each target first."""
    made = []
    turns = n - tables.first
    for k, (names, choices) in enumerate(found.groups):
        best = sum(value is None for value in choices[0].values())
        full = [c for c in choices if sum(value is None for value in c.values()) == best]
        rest = choices[len(full) :]
        # the second time round, other combinations of the same rows
        turn = (turns + k * (turns // len(full))) % len(full)
        turn_rest = turns % len(rest) if rest else 0
        open_ = {name: _open(connection, tables, table, name, n) for name in names}
        lines: list[tuple[str, ...]] = []
        for choice in (*full[turn:], *full[:turn], *rest[turn_rest:], *rest[:turn_rest]):
            options = [
                [_made_of(table, name, choice[name])] if name in choice else open_[name]() for name in names
            ]
            lines += islice(product(*options), _OPEN)
        made.append(Unit(names, tuple(sorted(dict.fromkeys(lines), key=_pleasing(tables, table, names, n)))))
    return made


def _pleasing(tables: Tables, table: Table, names: Sequence[str], n: int) -> Callable[[Sequence[str]], int]:
    """How many of the values that the row was to have these are not."""
    given = [table.column(name).given for name in names]
    wanted = [
        _made_of(table, name, g[(n - tables.first) % len(g)]) if g else ""
        for name, g in zip(names, given, strict=True)
    ]
    return lambda line: sum(bool(want) and want != value for want, value in zip(wanted, line, strict=True))


def _open(connection: Connection, tables: Tables, table: Table, name: str, n: int) -> Callable[[], list[str]]:
    """The values of a column that a choice leaves open: one, or several where a check may not like the first. Found when asked for."""

    @cache
    def found() -> list[str]:
        values = [choice[0] for choice in free_unit(connection, tables, table, table.column(name), n).choices]
        checked = any(name in check.columns for check in table.checks)
        return (values if checked else values[:1]) or ["null"]

    return found


def _made_of(table: Table, name: str, value: str | None) -> str:
    return f"cast({'null' if value is None else literal(value)} as {table.column(name).type_text})"


def _null_choice(table: Table, key: Key) -> Choice | None:
    """The columns to leave NULL so that the key does not apply; None when it always does."""
    nullable = [name for name in key.columns if not table.column(name).not_null]
    if key.full:
        return dict.fromkeys(key.columns) if len(nullable) == len(key.columns) else None
    shared = {name for other in table.keys if other is not key for name in other.columns}
    own = [name for name in nullable if name not in shared]
    return dict.fromkeys(own or nullable) if nullable else None


def _rows(connection: Connection, tables: Tables, target: Table, key: Key) -> list[Choice]:
    """The first rows of the target in the order in which they went in, which keeps the n-th rows of tables together."""
    values = ", ".join(f"{ident(name)}::text" for name in key.target_columns)
    present = " and ".join(f"{ident(name)} is not null" for name in key.target_columns)
    answer = connection.execute(
        f"select {values} from {target.rows}{tables.where(target.oid, present)} order by tableoid, ctid limit {_TARGETS}"
    ).fetchall()
    return [dict(zip(key.columns, row, strict=True)) for row in answer]


def _imagined(connection: Connection, tables: Tables, target: Table, key: Key, rows: int) -> list[Choice]:
    """Rows that the target could have one day; its own foreign keys are left to the table that points to it."""
    keyed = {name for other in target.keys for name in other.columns}
    numbers = {
        n: [
            free_unit(connection, tables, target, column, n)
            for column in target.columns
            if not column.generated and column.name not in keyed
        ]
        for n in range(tables.first, tables.first + rows)
    }
    found: list[Choice] = []
    for row in solve(connection, target, numbers).values():
        own = [(a, b) for a, b in zip(key.columns, key.target_columns, strict=True) if b in row]
        if own:
            answer = attempt(connection, "select " + ", ".join(f"({row[b]})::text" for _, b in own))
            if not isinstance(answer, psycopg.Error):
                found.append({a: value for (a, _), value in zip(own, answer[0], strict=True)})
    return found


def _connected(relations: Sequence[_Relation]) -> list[list[_Relation]]:
    groups: list[list[_Relation]] = []
    for relation in relations:
        near = [g for g in groups if any(set(r.columns) & set(relation.columns) for r in g)]
        merged = [r for g in near for r in g] + [relation]
        groups = [g for g in groups if g not in near] + [merged]
    return groups


def _joined(relations: Sequence[_Relation]) -> tuple[Choice, ...]:
    """A natural join in memory: choices that agree wherever they speak of the same column, those with values first."""
    found: list[dict[str, str | None]] = [{}]
    for relation in relations:
        found = [
            {**have, **choice}
            for have in found
            for choice in relation.choices
            if all(have.get(name, value) == value for name, value in choice.items())
        ]
        found.sort(key=lambda choice: sum(value is None for value in choice.values()))
        del found[_JOINED:]
    return tuple(found)
