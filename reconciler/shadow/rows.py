"""The rows of a database, reduced to values that can be compared before and after.

Promises that two equal answers mean the same rows, in any physical order, in the columns that were asked for. Reads
everything it is asked for: meant for shadows and small tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId, Snapshot
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]
Rows = Mapping[ObjectId, tuple[int, str]]
"""table → (number of rows, hash over them)."""


def common_columns(before: Snapshot, after: Snapshot) -> dict[ObjectId, tuple[str, ...]]:
    """The columns of each table that exist on both sides with the same type, and are not computed."""
    found: dict[ObjectId, list[str]] = {}
    for id, fact in sorted(before.facts.items()):
        other = after.facts.get(id)
        if id.kind != "column" or other is None or fact.parent is None or fact.parent.kind != "table":
            continue
        if fact.parent not in after.facts or fact["generated"] or other["generated"]:
            continue
        if fact["type"] == other["type"]:
            found.setdefault(fact.parent, []).append(id.part)
    return {table: tuple(columns) for table, columns in found.items()}


def stored_columns(side: Snapshot) -> dict[ObjectId, tuple[str, ...]]:
    """All columns of each table that hold a value of their own."""
    return common_columns(side, side)


def hashed(
    connection: Connection, columns: Mapping[ObjectId, Sequence[str]]
) -> dict[ObjectId, tuple[int, str]]:
    """Number and hash of the rows of each table, over the given columns. Partitioned tables are read through their parent."""
    found = {}
    for table, names in sorted(columns.items()):
        row = ", ".join(f"t.{ident(name)}::text" for name in names)
        answer = connection.execute(
            f"select count(*), coalesce(pg_catalog.md5(pg_catalog.string_agg(h, '' order by h)), '') from (select"
            f" pg_catalog.md5(row({row})::text) as h from only {ident(table.schema, table.name)} as t) as rows"
        ).fetchone()
        if answer is not None:
            found[table] = (int(answer[0]), str(answer[1]))
    return found


def lost(before: Rows, after: Rows) -> tuple[str, ...]:
    """In sentences, the tables whose rows are not the same."""
    found = []
    for table, (count, digest) in sorted(before.items()):
        now = after.get(table)
        if now is None:
            found.append(f"table {table} with {count} rows is gone")
        elif now[0] != count:
            found.append(f"table {table} had {count} rows, now {now[0]}")
        elif now[1] != digest:
            found.append(f"the {count} rows of table {table} are not the same any more")
    return tuple(found)
