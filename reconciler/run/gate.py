"""Locks that other sessions hold in the way of a statement, so that it can be seen waiting for its own.

A lock that lasts for a tenth of a millisecond no look would find. So every table that the statement speaks of is held by a session of
its own, in SHARE ROW EXCLUSIVE until the statement was seen asking for the table, and in ACCESS SHARE, which only ACCESS EXCLUSIVE
waits for, until it was seen asking for that. Never waits for a lock itself, so that it cannot be part of a deadlock, and keeps no
snapshot open, for which a concurrent index build would wait. For scratch databases only: on a target it would make others wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]

MOST = 8
"""Tables that are held: a statement that speaks of more is looked at only."""

_IMPATIENT = re.compile(r"\b(nowait|skip_locked)\b", re.IGNORECASE)


@dataclass(slots=True)
class Gate:
    """One table and the session that holds it."""

    session: Connection
    table: str
    held: bool = False

    def shut(self, *, wholly: bool) -> None:
        """Takes what can be had at once; `wholly` also against everything that writes."""
        try:
            self.session.execute("begin")
            self.session.execute(f"lock table only {self.table} in access share mode nowait".encode())
            self.session.execute("savepoint reading")
            if wholly:
                self.session.execute(
                    f"lock table only {self.table} in share row exclusive mode nowait".encode()
                )
            self.held = True
        except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
            self.open()  # the statement has it, or has just dropped it: the looks say what it is

    def open_for_writing(self) -> None:
        if self.held:
            self.session.execute("rollback to savepoint reading")

    def open(self) -> None:
        self.session.rollback()
        self.held = False


def spoken_of(sql: str, tables: Iterable[tuple[int, str, str, str]]) -> dict[int, str]:
    """The tables of which the statement speaks, by OID. Each is given as OID, schema, name, and a name that means it: its own, or
    that of one of its indexes, as a word of its own in the text. None where the statement would not wait for it."""
    if _IMPATIENT.search(sql):
        return {}
    words = set(re.findall(r'"((?:[^"]|"")+)"', sql)) | set(re.findall(r"[^\W\d][\w$]*", sql.lower()))
    return {
        oid: ident(schema, name) for oid, schema, name, word in tables if word.replace('"', '""') in words
    }
