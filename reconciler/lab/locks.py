"""Deadlocks foreseen: in which order each transaction, alone, comes to lock rows; two that take two rows in opposite order can meet.

What a transaction has locked is seen from outside, after each of its steps: an old version of a row carries the number of who changes or locks it
(manual: System Columns, xmax). What is only kept from losing its key (KEY SHARE, by what points to it) is left out: a change of other columns
does not wait for it (manual: Row-Level Locks). Rows that one step takes together have no order among them, so a cycle inside one statement is not foreseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.saved import primary
from reconciler.model import ObjectId
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]
Order = tuple[frozenset[str], ...]
"""The rows that became locked in each step, by name."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Two rows that two transactions, by number, take in opposite order."""

    first: int
    second: int
    one: str
    other: str

    def __str__(self) -> str:
        return (
            f"transaction {self.first + 1} locks {self.one} and then {self.other},"
            f" transaction {self.second + 1} {self.other} and then {self.one}"
        )


def held(connection: Connection, tables: Sequence[ObjectId], pid: int) -> frozenset[str]:
    """The rows of these tables that the transaction of that backend has changed or locked; none while it has no number yet."""
    found = connection.execute(
        "select a.backend_xid::text from pg_catalog.pg_stat_activity as a where a.pid = %s", (pid,)
    ).fetchone()
    if found is None or found[0] is None:
        return frozenset()
    rows: set[str] = set()
    for table in tables:
        keys = primary(connection, table)
        name = " || ', ' || ".join(f"x.{ident(key)}::text" for key in keys) or "x::text"
        sql = f"select {name} from only {ident(table.schema, table.name)} as x where x.xmax::text = %s"
        taken = set(connection.execute(sql.encode(), found).fetchall())
        if taken:
            taken -= set(
                connection.execute(f"{sql} for no key update skip locked".encode(), found).fetchall()
            )
        rows |= {f"{table} ({row[0]})" for row in taken}
    return frozenset(rows)


def cycles(orders: Sequence[Order]) -> Iterator[Cycle]:
    """Each pair of rows once for each pair of transactions."""
    places = [{row: step for step, rows in enumerate(order) for row in rows} for order in orders]
    for first in range(len(orders)):
        for second in range(first + 1, len(orders)):
            common = sorted(places[first].keys() & places[second].keys())
            for one in common:
                for other in common:
                    if (
                        places[first][one] < places[first][other]
                        and places[second][other] < places[second][one]
                    ):
                        yield Cycle(first, second, one, other)
