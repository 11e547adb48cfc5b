"""What the seeded rows must not do: break a constraint that was off while they went in.

In replica mode neither foreign keys nor deferrable unique constraints are checked (manual: session_replication_role). Each
is asked for here, and rows that break one are deleted, until none does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.shadow.seed_solve import attempt
from reconciler.shadow.seed_tables import Key, Table, Tables

Connection = psycopg.Connection[TupleRow]
TAKEN_OUT = "the rows tried for it pointed to rows that could not be made"
_AT_ONCE = 60


def empty(connection: Connection, tables: Tables, oids: Sequence[int]) -> set[int]:
    """Which of the tables hold no row of their own that counts."""
    found: set[int] = set()
    for start in range(0, len(oids), _AT_ONCE):
        parts = [
            f"select {oid}::bigint where not exists (select from only {tables.tables[oid].sql}{tables.where(oid)})"
            for oid in oids[start : start + _AT_ONCE]
        ]
        found |= {row[0] for row in connection.execute(" union all ".join(parts)).fetchall()}
    return found


def remove_wrong(connection: Connection, tables: Tables, filled: Iterable[int]) -> None:
    """Deletes, from tables that held no row that counts, those of its rows that break a constraint."""
    mine = [tables.tables[oid] for oid in filled]
    for table in mine:
        for index in table.late_indexes:
            # building an index anew checks what the constraint would have checked
            if isinstance(attempt(connection, f"reindex index {index}"), psycopg.Error):
                first = f"(select min(ctid) from only {table.sql})"
                others = tables.where(table.oid, f"ctid <> {first}")
                connection.execute(f"delete from only {table.sql}{others}")
    broken = _broken(connection, tables, [(table, key) for table in mine for key in table.keys])
    while broken:
        for table, key in broken:
            connection.execute(f"delete from only {table.sql} as x where {_wrong(tables, key)}")
        # what was deleted may have been pointed to
        broken = _broken(connection, tables, [(table, key) for table in mine for key in table.keys])


def _broken(
    connection: Connection, tables: Tables, keys: Sequence[tuple[Table, Key]]
) -> list[tuple[Table, Key]]:
    found: list[tuple[Table, Key]] = []
    asked = [(table, key) for table, key in keys if key.target in tables.tables]
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        sql = " union all ".join(
            f"select {i} where exists (select from only {table.sql} as x where {_wrong(tables, key)})"
            for i, (table, key) in enumerate(part)
        )
        found += [part[row[0]] for row in connection.execute(sql).fetchall()]
    return found


def _wrong(tables: Tables, key: Key) -> str:
    """The condition, over row `x`, of not satisfying a key."""
    own = [f"x.{ident(name)}" for name in key.columns]
    theirs = [f"y.{ident(name)}" for name in key.target_columns]
    same = [f"{a} = {b}" for a, b in zip(own, theirs, strict=True)]
    if key.period:
        same[-1] = f"{own[-1]} <@ {theirs[-1]}"
    target = tables.tables[key.target].rows
    missing = f"not exists (select from {target} as y where {' and '.join(same)})"
    present = " and ".join(f"{name} is not null" for name in own)
    if not key.full:
        return f"{present} and {missing}"
    some = " or ".join(f"{name} is not null" for name in own)
    return f"({some}) and (not ({present}) or {missing})"
