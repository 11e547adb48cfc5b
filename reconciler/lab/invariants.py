"""Declared invariants: queries that must return no row, asked in one round trip.

Promises that asking changes nothing and that the first offending row is shown. A query that fails is a broken promise, too: nobody knows then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import literal

Connection = psycopg.Connection[TupleRow]
_MOST = 5
"""Columns of a row that are shown."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, with the first row it gave, or the reason why it could not be asked."""

    name: str
    row: tuple[str, ...] = ()
    trouble: str = ""

    def __str__(self) -> str:
        if self.trouble:
            return f"the invariant “{self.name}” cannot be asked: {self.trouble}"
        return f"the invariant “{self.name}” does not hold: {', '.join(self.row) or 'a row without columns'}"


class Invariants:
    """By name. The same query under several names is asked once."""

    def __init__(self, queries: Mapping[str, str]) -> None:
        self.queries = {query: name for name, query in reversed(list(queries.items()))}
        self._all = " union all ".join(
            f"select {literal(name)} where exists (\n{query}\n)" for query, name in self.queries.items()
        )

    def broken(self, connection: Connection) -> tuple[Broken, ...]:
        """Those that do not hold now, in what is committed. The session must be in no transaction, or in one that may fail."""
        if not self.queries:
            return ()
        try:
            first = connection.execute(self._all.encode()).fetchone()
        except psycopg.Error as error:
            first = (str(error),)  # which one fails, and why, is found below, one by one
        if first is None:
            return ()
        return tuple(
            found for query, name in self.queries.items() if (found := asked(connection, name, query))
        )


def asked(connection: Connection, name: str, query: str) -> Broken | None:
    """One invariant. None where it holds."""
    try:
        row = connection.execute(query.encode()).fetchone()
    except psycopg.Error as error:
        return Broken(name, trouble=(error.diag.message_primary or str(error)).strip())
    return None if row is None else Broken(name, tuple(str(value) for value in row[:_MOST]))
