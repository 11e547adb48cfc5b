"""Rows for a bench: a table that holds thousands of made-up rows under all its constraints, and as many more, set aside, that fit beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import snapshot as catalog
from reconciler.errors import Stalled
from reconciler.model import ObjectId
from reconciler.pg import ident
from reconciler.shadow import seed_tables
from reconciler.shadow.multiply import multiply
from reconciler.shadow.seed import seed, without_triggers
from reconciler.shadow.seed_tables import Table, Tables

Connection = psycopg.Connection[TupleRow]
SCHEMA = "reconciler_bench"
ASIDE = f"{SCHEMA}.aside"
NUMBER = "reconciler_n"
"""The rows that are set aside, numbered from 1 by this column, a name that no table has of its own."""
PLACES = f"{SCHEMA}.places"
"""Where the rows are that stand in the table, numbered likewise; they stay there, as nothing that is timed is committed."""
_STAYING = 0.5


@dataclass(frozen=True, slots=True)
class Stock:
    """`columns` can be written, `rows` are set aside, and `staying` are in the table."""

    table: ObjectId
    columns: tuple[str, ...]
    rows: int
    staying: int

    @property
    def sql(self) -> str:
        return ident(self.table.schema, self.table.name)

    @property
    def listed(self) -> str:
        return ", ".join(ident(column) for column in self.columns)


def _with_parents(known: Tables, oids: Iterable[int]) -> tuple[int, ...]:
    """These tables and those that they point to, and so on."""
    found = dict.fromkeys(oids)
    left = list(found)
    while left:
        for key in known.tables[left.pop()].keys:
            if key.target in known.tables and key.target not in found:
                found[key.target] = None
                left.append(key.target)
    return tuple(sorted(found))


def _orphaned(known: Tables, target: Table) -> Iterator[str]:
    """Deletes what points to rows that are not there: the rows of a trigger would meet what it had made of them."""
    for other in known.tables.values():
        for key in other.keys:
            if key.target != target.oid or other.oid == target.oid or key.period:
                continue
            pairs = zip(key.columns, key.target_columns, strict=True)
            same = " and ".join(f"p.{ident(their)} = x.{ident(own)}" for own, their in pairs)
            given = " and ".join(f"x.{ident(own)} is not null" for own in key.columns)
            yield f"delete from {other.rows} as x where {given} and not exists (select from {target.rows} as p where {same})"


def stocked(
    connection: Connection, table: ObjectId, rows: int, beside: Mapping[ObjectId, int] | None = None
) -> Stock:
    """Fills the table and what it points to, and takes half of its rows out again; `beside` are other tables that are to hold so many.
    For a superuser on a scratch copy that holds none, or those of a time before.

    Raises Stalled when no row can be made.
    """
    snapshot = catalog.read(connection)
    with connection.transaction(), without_triggers(connection):
        connection.execute("set local statement_timeout to '2min'")
        known = seed_tables.read(connection)
        ids = {(one.schema, one.name): oid for oid, one in known.tables.items()}
        # what they point to goes, too: rows below parents that are many already are not multiplied
        emptied = _with_parents(known, [ids[one.schema, one.name] for one in (table, *(beside or {}))])
        connection.execute(f"truncate {', '.join(known.tables[oid].sql for oid in emptied)} cascade")
        planted = seed(connection, snapshot, only=[table, *(beside or {})], known=known)
        oid = ids[table.schema, table.name]
        target = known.tables[oid]
        if target.partitioned:
            raise Stalled(f"{table} is partitioned: the bench measures its partitions' own triggers only")
        if table not in planted.tables:
            why = "; ".join(planted.failed) or "no row could be made"
            raise Stalled(f"{table} could not be filled: {why}")
        wanted = {oid: round(rows / _STAYING)}
        wanted |= {
            key.target: max(rows // 4, 10)
            for key in target.keys
            if key.target in known.tables and key.target != oid
        }
        wanted |= {
            ids[one.schema, one.name]: count
            for one, count in (beside or {}).items()
            if (one.schema, one.name) in ids
        }
        multiply(connection, known, wanted)
        columns = tuple(column.name for column in target.columns if not column.generated)
        listed = ", ".join(ident(column) for column in columns)
        connection.execute(f"create schema if not exists {SCHEMA}")
        connection.execute(f"drop table if exists {ASIDE}")
        connection.execute(
            f"create unlogged table {ASIDE} as select row_number() over (order by ctid) as {NUMBER}, {listed} from (select *, ctid,"
            f" row_number() over (order by ctid) as {NUMBER} from only {target.sql}) as x where {NUMBER} % 2 = 0"
        )
        connection.execute(f"create unique index on {ASIDE} ({NUMBER})")
        connection.execute(
            f"delete from only {target.sql} as x using (select ctid as place, row_number() over (order by ctid) as at"
            f" from only {target.sql}) as y where x.ctid = y.place and y.at % 2 = 0"
        )
        for statement in _orphaned(known, target):
            connection.execute(statement)
        connection.execute(f"drop table if exists {PLACES}")
        connection.execute(
            f"create unlogged table {PLACES} as select row_number() over (order by ctid) as n, ctid as place"
            f" from only {target.sql}"
        )
        connection.execute(f"create unique index on {PLACES} (n)")
        aside = connection.execute(f"select count(*) from {ASIDE}").fetchone()
        left = connection.execute(f"select count(*) from only {target.sql}").fetchone()
    assert aside is not None and left is not None
    connection.execute("vacuum analyze")
    if not aside[0]:
        raise Stalled(f"{table} could not be filled: its keys and checks leave one row only")
    return Stock(table, columns, int(aside[0]), int(left[0]))
