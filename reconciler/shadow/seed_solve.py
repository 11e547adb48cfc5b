"""Rows that satisfy the checks of a table: candidates from here, the decision from PostgreSQL.

For each group of columns that share checks one query tries the combinations of their candidates, those with the best
guesses first. What this module knows of a condition is only which columns it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident, literal
from reconciler.shadow.seed_hints import equations, mentions, mined
from reconciler.shadow.seed_tables import Check, Column, Table, Tables
from reconciler.shadow.seed_values import candidates, sure

Connection = psycopg.Connection[TupleRow]
COMBINATIONS = 3_000
_ONE_BY_ONE = 60


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns whose values are chosen together, and the choices as SQL expressions, the best first."""

    columns: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]


def attempt(connection: Connection, sql: str) -> list[TupleRow] | psycopg.Error:
    """Runs a statement inside a savepoint, in one round trip: its rows, or the error, after which nothing of it is left."""
    try:
        cursor = connection.execute(f"savepoint reconciler_try; {sql}; release savepoint reconciler_try")
        cursor.nextset()
        return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        if connection.closed:
            raise
        connection.execute("rollback to savepoint reconciler_try; release savepoint reconciler_try")
        return error


def free_unit(connection: Connection, tables: Tables, table: Table, column: Column, n: int) -> Unit:
    """The choices for row n of a column that no key binds. No choice when no value of its type is known."""
    if column.given:
        value = literal(column.given[(n - tables.first) % len(column.given)])
        return Unit((column.name,), ((f"cast({value} as {column.type_text})",),))
    types = tables.types
    mine = [check for check in table.checks if column.name in check.columns]
    hints = mined((check.expression for check in mine), (check.bodies for check in mine))
    hints = replace(hints, canary=column.canary)
    seed = f"{table.schema}.{table.name}.{column.name}"
    values = candidates(types, column.type, column.type_text, n, hints, seed)
    if column.preferred:
        values.insert(0, f"cast({column.preferred} as {column.type_text})")
    if not sure(types, column.type):
        values = _valid(connection, values, 24 if mine else 1)
    if not column.not_null:
        values.append(f"cast(null as {column.type_text})")
    return Unit((column.name,), tuple((value,) for value in values))


def _valid(connection: Connection, values: Sequence[str], most: int) -> list[str]:
    """The first few values that the server can make at all."""
    working = (v for v in values if not isinstance(attempt(connection, f"select {v}"), psycopg.Error))
    return list(islice(working, most))


def solve(
    connection: Connection, table: Table, rows: Mapping[int, Sequence[Unit]], skip: int = 0
) -> dict[int, dict[str, str]]:
    """For each row number: a value per column of its units, such that the checks hold where that is possible.

    `rows` gives every row the same units with choices of its own. `skip` passes over as many solutions.
    """
    groups: list[tuple[list[int], list[Check]]] = []
    turned: set[int] = set()
    if rows:
        shape = next(iter(rows.values()))
        offered = {name for unit in shape for name in unit.columns} | {
            c.name for c in table.columns if c.generated
        }
        checks = [check for check in table.checks if check.columns <= offered]
        own = [
            [c for c in checks if set(unit.columns) & c.columns and not _others(shape, k) & c.columns]
            for k, unit in enumerate(shape)
        ]
        rows = _filtered(connection, table, rows, own)
        groups = _groups(shape, [check for check in checks if not any(check in some for some in own)])
        turned = {k for k, some in enumerate(own) if some}
    found: dict[int, dict[str, str]] = {}
    for n, units in rows.items():
        found[n] = {}
        for k, unit in enumerate(units):
            if unit.choices:
                choice = unit.choices[skip % len(unit.choices) if k in turned else 0]
                found[n] |= zip(unit.columns, choice, strict=True)
    for group, together in groups:
        part = {n: [units[i] for i in group] for n, units in rows.items()}
        for n, values in _solutions(connection, table, part, together, skip).items():
            found[n] |= values
    return found


def _groups(units: Sequence[Unit], checks: Sequence[Check]) -> list[tuple[list[int], list[Check]]]:
    """Units that share checks, with these."""
    groups: list[tuple[set[int], list[Check]]] = []
    for check in checks:
        mine = {i for i, unit in enumerate(units) if check.columns & set(unit.columns)}
        if not mine:
            continue
        together = [check]
        for members, others in [group for group in groups if group[0] & mine]:
            mine |= members
            together = others + together
        groups = [group for group in groups if not group[0] & mine] + [(mine, together)]
    return [(sorted(members), together) for members, together in groups]


def _solutions(
    connection: Connection,
    table: Table,
    rows: Mapping[int, Sequence[Unit]],
    checks: Sequence[Check],
    skip: int,
) -> dict[int, dict[str, str]]:
    rows = {n: units for n, units in rows.items() if all(unit.choices for unit in units)}
    if not rows:
        return {}
    shape = next(iter(rows.values()))
    tight = {n: _trimmed(units) for n, units in rows.items()}
    found: dict[int, dict[str, str]] = {}
    for computed in ({}, _computed(table, shape, checks)):
        missing = {n: units for n, units in tight.items() if n not in found}
        if not missing or (found and not computed):
            continue
        parts = [_query(table, units, checks, n, skip, computed) for n, units in missing.items()]
        answer = attempt(connection, " union all ".join(parts))
        if isinstance(answer, psycopg.Error):
            found |= {
                n: way for n, u in missing.items() if (way := _one_by_one(connection, table, u, checks))
            }
        else:
            for n, indexes, texts in answer:
                found[n] = _chosen(missing[n], indexes)
                for name, text in zip(computed, texts or (), strict=False):
                    made_of = "null" if text is None else literal(text)
                    found[n][name] = f"cast({made_of} as {table.column(name).type_text})"
    return found


def _others(units: Sequence[Unit], k: int) -> set[str]:
    return {column for i, unit in enumerate(units) if i != k for column in unit.columns}


def _filtered(
    connection: Connection,
    table: Table,
    rows: Mapping[int, Sequence[Unit]],
    own: Sequence[Sequence[Check]],
) -> dict[int, list[Unit]]:
    """The choices that satisfy the checks on their unit alone. When none does they stay, and the insert will say why."""
    kept = {n: list(units) for n, units in rows.items()}
    for weeded in (False, True):
        if weeded:
            kept = {
                n: [_weeded(connection, unit) if own[k] else unit for k, unit in enumerate(units)]
                for n, units in kept.items()
            }
        parts = [
            f'(select {n}, {k}, array_agg("i {k}" order by "i {k}") from {_sources(table, {k: unit}, own[k])}'
            f" where {_holds(own[k])})"
            for n, units in kept.items()
            for k, unit in enumerate(units)
            if own[k] and unit.choices
        ]
        if not parts:
            break
        answer = attempt(connection, " union all ".join(parts))
        if not isinstance(answer, psycopg.Error):
            for n, k, indexes in answer:
                unit = kept[n][k]
                if indexes:
                    kept[n][k] = Unit(unit.columns, tuple(unit.choices[i] for i in indexes))
            break
    else:
        for n, units in kept.items():
            for k, unit in enumerate(units):
                good = [
                    c
                    for c in unit.choices
                    if own[k] and _pleases(connection, table, Unit(unit.columns, (c,)), own[k])
                ]
                if good:
                    kept[n][k] = Unit(unit.columns, tuple(good))
    return kept


def _pleases(connection: Connection, table: Table, unit: Unit, checks: Sequence[Check]) -> bool:
    answer = attempt(connection, f"select 1 from {_sources(table, {0: unit}, checks)} where {_holds(checks)}")
    return not isinstance(answer, psycopg.Error) and bool(answer)


def _computed(table: Table, units: Sequence[Unit], checks: Sequence[Check]) -> dict[str, str]:
    """Columns that a check sets equal to an expression over others, which is then the only candidate worth trying."""
    free = {unit.columns[0] for unit in units if len(unit.columns) == 1}
    found: dict[str, str] = {}
    used: set[str] = set()
    for check in checks:
        for name, value in equations(check.expression):
            column = name if name in free else ""
            needs = {c.name for c in table.columns if mentions(value, c.name)}
            if column and column not in found and column not in needs | used and not needs & set(found):
                found[column] = value
                used |= needs
    return found


def _query(
    table: Table,
    units: Sequence[Unit],
    checks: Sequence[Check],
    n: int,
    skip: int,
    computed: Mapping[str, str],
) -> str:
    """One row: n, the number of the choice of each unit, and the computed columns as text."""
    order = [f'"i {k}"' for k in range(len(units))]
    ordered = f" order by {' + '.join(order)}, {', '.join(order)}"
    if prod(len(unit.choices) for unit in units) > COMBINATIONS:
        ordered = ""
    sources = _sources(table, dict(enumerate(units)), checks, computed)
    texts = ", ".join(f"{ident(name)}::text" for name in computed)
    return (
        f"(select {n}, array[{', '.join(order)}], array[{texts}]::text[] from {sources} where {_holds(checks)}{ordered}"
        f" offset {skip} limit 1)"
    )


def _holds(checks: Sequence[Check]) -> str:
    """A check holds when it is not false: NULL passes (manual: Check Constraints)."""
    return " and ".join(f"({check.expression}) is not false" for check in checks)


def _sources(
    table: Table,
    units: Mapping[int, Unit],
    checks: Sequence[Check],
    computed: Mapping[str, str] | None = None,
) -> str:
    """A FROM list that offers the columns of the units by their names, and what the server computes from them."""
    sources = []
    computed = computed or {}
    for k, unit in units.items():
        hidden = unit.columns[0] in computed
        lines = [f"({i}, {', '.join(choice)})" for i, choice in enumerate(unit.choices)]
        names = [f"hidden {k}"] if hidden else unit.columns
        sources.append(
            f'(values {", ".join(lines[:1] if hidden else lines)}) as "u {k}"("i {k}", {", ".join(map(ident, names))})'
        )
    for k, (name, value) in enumerate(computed.items()):
        type_ = table.column(name).type_text
        sources.append(f'lateral (select cast(({value}) as {type_}) as {ident(name)}) as "c {k}"')
    named = {name for check in checks for name in check.columns}
    for k, column in enumerate(c for c in table.columns if c.generated and c.name in named):
        value = f"cast(({column.generated}) as {column.type_text})"
        sources.append(f'lateral (select {value} as {ident(column.name)}) as "g {k}"')
    return ", ".join(sources)


def _chosen(units: Sequence[Unit], indexes: Sequence[int]) -> dict[str, str]:
    return {
        column: value
        for unit, index in zip(units, indexes, strict=True)
        for column, value in zip(unit.columns, unit.choices[index], strict=True)
    }


def _trimmed(units: Sequence[Unit]) -> list[Unit]:
    """The same units with so few choices that all combinations can be tried. The last one, often NULL, stays."""
    choices = [list(unit.choices) for unit in units]
    while prod(map(len, choices)) > COMBINATIONS:
        longest = max(choices, key=len)
        if len(longest) <= 2:
            break
        del longest[-2]
    return [Unit(unit.columns, tuple(kept)) for unit, kept in zip(units, choices, strict=True)]


def _weeded(connection: Connection, unit: Unit) -> Unit:
    return Unit(unit.columns, tuple(_working(connection, unit.choices)))


def _working(connection: Connection, choices: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those that the server can make, found by halves."""
    sql = "select " + ", ".join(value for choice in choices for value in choice)
    if not choices or not isinstance(attempt(connection, sql), psycopg.Error):
        return list(choices)
    if len(choices) == 1:
        return []
    half = len(choices) // 2
    return _working(connection, choices[:half]) + _working(connection, choices[half:])


def _one_by_one(
    connection: Connection, table: Table, units: Sequence[Unit], checks: Sequence[Check]
) -> dict[str, str]:
    """For conditions that raise an error for some values: then one value must not spoil the others."""
    ways = sorted(
        islice(product(*(range(len(unit.choices)) for unit in units)), COMBINATIONS),
        key=lambda way: (sum(way), way),
    )
    for way in ways[:_ONE_BY_ONE]:
        only = [Unit(unit.columns, (unit.choices[i],)) for unit, i in zip(units, way, strict=True)]
        answer = attempt(connection, _query(table, only, checks, 1, 0, {}))
        if not isinstance(answer, psycopg.Error) and answer:
            return _chosen(only, answer[0][1])
    return {}
