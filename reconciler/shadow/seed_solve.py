"""Rows that satisfy the checks of a table: candidates from here, the decision from PostgreSQL.

For each group of columns that share checks one query tries the combinations of their candidates, those with the best
guesses first. What this module knows of a condition is only which columns it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.shadow.seed_hints import mined
from reconciler.shadow.seed_tables import Check, Column, Table, Type
from reconciler.shadow.seed_values import candidates, sure

Connection = psycopg.Connection[TupleRow]
COMBINATIONS = 6_000
_ONE_BY_ONE = 60


@dataclass(frozen=True, slots=True)
class Unit:
    """Columns whose values are chosen together, and the choices as SQL expressions, the best first."""

    columns: tuple[str, ...]
    choices: tuple[tuple[str, ...], ...]


def attempt(connection: Connection, sql: str) -> list[TupleRow] | psycopg.Error:
    """Runs one statement inside a savepoint, in one round trip: its rows, or the error, after which nothing of it is left."""
    try:
        cursor = connection.execute(f"savepoint reconciler_try; {sql}; release savepoint reconciler_try")
        cursor.nextset()
        return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        if connection.closed:
            raise
        connection.execute("rollback to savepoint reconciler_try; release savepoint reconciler_try")
        return error


def free_unit(
    connection: Connection, types: Mapping[int, Type], table: Table, column: Column, n: int
) -> Unit:
    """The choices for row n of a column that no key binds. No choice when no value of its type is known."""
    mine = [check for check in table.checks if column.name in check.columns]
    hints = mined((check.expression for check in mine), (check.bodies for check in mine))
    seed = f"{table.schema}.{table.name}.{column.name}"
    values = candidates(types, column.type, column.type_text, n, hints, seed)
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
    found: dict[int, dict[str, str]] = {
        n: {
            column: value
            for unit in units
            if unit.choices
            for column, value in zip(unit.columns, unit.choices[0], strict=True)
        }
        for n, units in rows.items()
    }
    if not table.checks or not rows:
        return found
    shape = next(iter(rows.values()))
    for group, checks in _groups(shape, table.checks):
        solutions = _solutions(
            connection, table, {n: [units[i] for i in group] for n, units in rows.items()}, checks, skip
        )
        for n, values in solutions.items():
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
    trimmed = {n: _trimmed(units) for n, units in rows.items() if all(unit.choices for unit in units)}
    for weeded in (False, True):
        if weeded:
            trimmed = {n: [_weeded(connection, unit) for unit in units] for n, units in trimmed.items()}
            trimmed = {n: units for n, units in trimmed.items() if all(unit.choices for unit in units)}
        if not trimmed:
            return {}
        parts = [_query(table, units, checks, n, skip) for n, units in trimmed.items()]
        answer = attempt(connection, " union all ".join(parts))
        if not isinstance(answer, psycopg.Error):
            return {row[0]: _chosen(trimmed[row[0]], row[1]) for row in answer}
    return {
        n: values for n, units in trimmed.items() if (values := _one_by_one(connection, table, units, checks))
    }


def _query(table: Table, units: Sequence[Unit], checks: Sequence[Check], n: int, skip: int) -> str:
    sources, numbers = [], []
    for k, unit in enumerate(units):
        lines = ", ".join(f"({i}, {', '.join(choice)})" for i, choice in enumerate(unit.choices))
        names = ", ".join(ident(column) for column in unit.columns)
        sources.append(f'(values {lines}) as "u {k}"("i {k}", {names})')
        numbers.append(f'"i {k}"')
    named = frozenset().union(*(check.columns for check in checks))
    for k, column in enumerate(c for c in table.columns if c.generated and c.name in named):
        value = f"cast(({column.generated}) as {column.type_text})"
        sources.append(f'lateral (select {value} as {ident(column.name)}) as "g {k}"')
    # a check holds when it is not false: NULL passes (manual: Check Constraints)
    holds = " and ".join(f"({check.expression}) is not false" for check in checks)
    order = f" order by {' + '.join(numbers)}, {', '.join(numbers)}"
    if prod(len(unit.choices) for unit in units) > COMBINATIONS:
        order = ""
    return f"(select {n}, array[{', '.join(numbers)}] from {', '.join(sources)} where {holds}{order} offset {skip} limit 1)"


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
    working = [
        c
        for c in unit.choices
        if not isinstance(attempt(connection, f"select {', '.join(c)}"), psycopg.Error)
    ]
    return Unit(unit.columns, tuple(working))


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
        answer = attempt(connection, _query(table, only, checks, 1, 0))
        if not isinstance(answer, psycopg.Error) and answer:
            return _chosen(only, answer[0][1])
    return {}
