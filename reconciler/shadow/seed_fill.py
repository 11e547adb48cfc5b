"""The rows of one table: composed, tried, and repaired from what PostgreSQL answers, a bounded number of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident, literal
from reconciler.shadow.seed_keys import Bound, Owed, bound, units
from reconciler.shadow.seed_solve import attempt, free_unit, solve
from reconciler.shadow.seed_tables import Column, Key, Table, Tables

Connection = psycopg.Connection[TupleRow]
_TRIES_PER_ROW = 14
_TRIES_PER_TABLE = 30
_MORE = 20


@dataclass(frozen=True, slots=True)
class Late:
    """A key whose columns are NULL until its target has rows."""

    table: int
    key: Key


@dataclass(frozen=True, slots=True)
class Filled:
    """Why a table got no row (empty: it got some), and which of its keys are still to be set."""

    trouble: str = ""
    late: tuple[Late, ...] = ()


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to compose a row: which row number, what is left to defaults or to NULL, which solution of the checks."""

    n: int
    defaults: bool = False
    nulls: bool = False
    skip: int = 0


def fill(
    connection: Connection,
    tables: Tables,
    table: Table,
    pending: frozenset[int],
    owed: dict[int, list[Owed]],
    rows: int,
) -> Filled:
    """Puts rows into an empty table. What it promised about tables in `pending` is added to `owed`."""
    found = bound(connection, tables, table, pending, owed.get(table.oid, ()), rows)
    if found.trouble:
        return Filled(found.trouble)
    ways = [_Way(n) for n in range(tables.first, tables.first + rows)]
    trouble = _insert(connection, table, _composed(connection, tables, table, found, ways))
    if trouble is not None:
        trouble = _repaired(connection, tables, table, found, ways, trouble)
    if trouble is not None and _grown(connection, tables, table, rows):
        found = bound(connection, tables, table, pending, owed.get(table.oid, ()), rows)
        trouble = _repaired(connection, tables, table, found, ways, trouble)
    if trouble is not None:
        return Filled(_said(trouble, table, tables))
    for key in found.promised:
        owed.setdefault(key.target, []).extend(_promises(connection, tables, table, key))
    return Filled("", tuple(Late(table.oid, key) for key in found.late))


def set_late(connection: Connection, tables: Tables, late: Late) -> None:
    """Points the rows of a table to rows of a target that has some by now. Where a check objects they stay NULL."""
    table, key = tables.tables[late.table], late.key
    target = tables.tables.get(key.target)
    if target is None:
        return
    own = ", ".join(f"{ident(name)}::text" for name in key.columns)
    theirs = ", ".join(f"{ident(name)}::text" for name in key.target_columns)
    mine = connection.execute(
        f"select ctid::text, {own} from only {table.sql}{tables.where(table.oid)} order by ctid limit 24"
    ).fetchall()
    rows = connection.execute(
        f"select {theirs} from {target.rows}{tables.where(target.oid)} order by tableoid, ctid limit 24"
    ).fetchall()
    for n, (place, *have) in enumerate(mine):
        # to itself: the row before, so that the first stays the root
        offers = rows[:n][::-1] if target is table else rows[n:] + rows[:n]
        for offer in offers[:4]:
            agrees = all(h is None or h == o for h, o in zip(have, offer, strict=True))
            if None in offer or not agrees or None not in have:
                continue
            values = ", ".join(
                f"{ident(name)} = cast({literal(value)} as {table.column(name).type_text})"
                for name, value, old in zip(key.columns, offer, have, strict=True)
                if old is None
            )
            answer = attempt(
                connection, f"update only {table.sql} set {values} where ctid = {literal(place)}::tid"
            )
            if not isinstance(answer, psycopg.Error):
                break


def _composed(
    connection: Connection, tables: Tables, table: Table, found: Bound, ways: Sequence[_Way]
) -> list[Mapping[str, str]]:
    """A row per way. A column without a value gets its default."""
    keyed = {name for names, _ in found.groups for name in names}
    first = ways[0]
    free: list[Column] = []
    given: dict[str, str] = {}
    for column in table.columns:
        if column.generated or column.name in keyed:
            continue
        checked = any(column.name in check.columns for check in table.checks)
        if first.defaults and (column.default or column.serial):
            continue
        if first.nulls and not column.not_null and not column.default:
            given[column.name] = "null"
        elif column.serial and not checked and column.name not in found.copies.values():
            continue
        elif column.name not in found.copies:
            free.append(column)
    numbered = {
        way.n: [
            *units(connection, tables, table, found, way.n),
            *(free_unit(connection, tables, table, column, way.n) for column in free),
        ]
        for way in ways
    }
    solved = solve(connection, table, numbered, first.skip)
    return [
        given | solved[way.n] | {a: solved[way.n][b] for a, b in found.copies.items() if b in solved[way.n]}
        for way in ways
    ]


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, str]]) -> psycopg.Error | None:
    names = [column.name for column in table.columns if any(column.name in row for row in rows)]
    names = names or [column.name for column in table.columns if not column.generated][:1]
    if names:
        lines = ", ".join("(" + ", ".join(row.get(name, "default") for name in names) + ")" for row in rows)
        columns = ", ".join(ident(name) for name in names)
        sql = f"insert into {table.sql} ({columns}) overriding system value values {lines}"
    else:
        sql = "; ".join([f"insert into {table.sql} default values"] * len(rows))
    answer = attempt(connection, sql)
    return answer if isinstance(answer, psycopg.Error) else None


def _repaired(
    connection: Connection,
    tables: Tables,
    table: Table,
    found: Bound,
    ways: Sequence[_Way],
    trouble: psycopg.Error,
) -> psycopg.Error | None:
    """Row by row, each in other ways until one is taken. The first error, when no row went in."""
    first, got, tries = trouble, 0, 0
    for start in ways:
        todo, seen = [start], {start}
        for _ in range(_TRIES_PER_ROW):
            if not todo or tries >= _TRIES_PER_TABLE:
                break
            way = todo.pop(0)
            tries += 1
            error = _insert(connection, table, _composed(connection, tables, table, found, [way]))
            if error is None:
                got += 1
                break
            new = [other for other in _other_ways(way, error, len(ways)) if other not in seen]
            seen |= set(new)
            todo += new
    return None if got else first


def _grown(connection: Connection, tables: Tables, table: Table, rows: int) -> bool:
    """More rows in the tables whose keys choose the partition: of three tenants none may belong into this one."""
    grown = False
    names = {name for check in table.checks if not check.name for name in check.columns}
    for key in table.keys:
        target = tables.tables.get(key.target)
        if target is None or target.partitioned or target.oid == table.oid or not names & set(key.columns):
            continue
        reach = bound(connection, tables, target, frozenset(), (), rows)
        ways = [_Way(tables.first - 1 + n) for n in range(rows + 1, rows + _MORE + 1)]
        if not reach.trouble and not reach.promised:
            error = _insert(connection, target, _composed(connection, tables, target, reach, ways))
            if error is not None:
                error = _repaired(connection, tables, target, reach, ways, error)
            grown = grown or error is None
    return grown


def _other_ways(way: _Way, error: psycopg.Error, rows: int) -> list[_Way]:
    """What to try next, from the class of the error (manual: appendix A)."""
    if error.sqlstate in ("23505", "23P01"):  # unique, exclusion: another row, then another solution
        return [
            _Way(way.n + rows * 3, way.defaults, way.nulls, way.skip),
            _Way(way.n, way.defaults, way.nulls, way.skip + 1),
            _Way(way.n + rows, way.defaults, way.nulls, way.skip),
        ]
    return [
        _Way(way.n, defaults=True, skip=way.skip),
        _Way(way.n, nulls=True, skip=way.skip),
        _Way(way.n, defaults=True, nulls=True, skip=way.skip),
        _Way(way.n + rows, way.defaults, way.nulls, way.skip),
        _Way(way.n, way.defaults, way.nulls, way.skip + 1),
    ]


def _promises(connection: Connection, tables: Tables, table: Table, key: Key) -> list[Owed]:
    values = ", ".join(f"{ident(name)}::text" for name in key.columns)
    present = " and ".join(f"{ident(name)} is not null" for name in key.columns)
    rows = connection.execute(
        f"select distinct {values} from only {table.sql}{tables.where(table.oid, present)} order by {values}"
    )
    return [Owed(key.target_columns, tuple(tuple(row) for row in rows.fetchall()))]


def _said(error: psycopg.Error, table: Table, tables: Tables) -> str:
    unknown = [
        f"{column.name} of type {column.type_text}"
        for column in table.columns
        if column.not_null and not column.default and not column.serial and not column.generated
        and column.type not in tables.types
    ]  # fmt: skip
    said = (error.diag.message_primary or str(error)).strip()
    return said + (f" (no value is known for {', '.join(unknown)})" if unknown else "")
