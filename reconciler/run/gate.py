"""Locks that a second session holds in the way of a statement, so that it can be seen waiting for its own.

A lock that lasts for a tenth of a millisecond no look would find. So every table that the statement speaks of is held in a mode that
makes it wait once: SHARE ROW EXCLUSIVE until the statement was seen asking, ACCESS SHARE after that, which only ACCESS EXCLUSIVE waits
for. Never waits for a lock itself, so that it cannot be part of a deadlock, and keeps no snapshot open, for which a concurrent index
build would wait. For scratch databases only: on a target it would make others wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]


@dataclass(slots=True)
class Gate:
    """`tables` maps OID → (schema, name) of what is held; `seen` are those that the statement asked for already."""

    session: Connection
    tables: Mapping[int, tuple[str, str]]
    seen: set[int] = field(default_factory=set)

    def close(self) -> None:
        """Takes every lock that can be had at once. Partitions and children are held on their own or not at all."""
        for oid, (schema, name) in sorted(self.tables.items()):
            mode = "access share" if oid in self.seen else "share row exclusive"
            try:
                if self.session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                    self.session.execute("begin")
                with self.session.transaction():
                    self.session.execute(
                        f"lock table only {ident(schema, name)} in {mode} mode nowait".encode()
                    )
            except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                continue  # the statement has it, or has just dropped it: the looks say what it is

    def open(self) -> None:
        self.session.rollback()


def spoken_of(sql: str, tables: Iterable[tuple[int, str, str, str]]) -> dict[int, tuple[str, str]]:
    """The tables of which the statement speaks. Each is given as OID, schema, name, and a name that means it: its own, or that of
    one of its indexes, as a word of its own in the text."""
    words = set(re.findall(r'"((?:[^"]|"")+)"', sql)) | set(re.findall(r"[^\W\d][\w$]*", sql.lower()))
    return {oid: (schema, name) for oid, schema, name, word in tables if word.replace('"', '""') in words}
