"""One session that can be left in the middle of a statement: sent off, looked at, and asked for its answer later.

psycopg waits for a statement; here the controller must go on while a session stands at a gate or behind a lock, so the protocol is
driven a level below (psycopg.pq, libpq: Asynchronous Command Processing).
"""

from __future__ import annotations

import select

from psycopg import pq
from psycopg.pq.abc import PGresult

from reconciler.lab.values import Answer, Failure
from reconciler.pg import Url, connect

_GOOD = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
_BAD = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)


class Session:
    """An open connection. `busy` says that a statement is under way."""

    def __init__(self, url: Url, name: str) -> None:
        self._connection = connect(url, application_name=f"reconciler lab {name}")
        self._pg = self._connection.pgconn
        self.pid = self._pg.backend_pid
        self.busy = False
        self.failure: Failure | None = None
        self.answer = Answer()

    def send(self, sql: str) -> None:
        """Begins a statement, or several in one message."""
        self.failure, self.answer, self.busy = None, Answer(), True
        self._pg.send_query(sql.encode())
        self._pg.flush()

    def poll(self, patience: float = 0.0) -> bool:
        """Whether the statement has ended; waits up to `patience` seconds for it. Its last rows are the answer."""
        if not self.busy:
            return True
        if patience:
            select.select([self._pg.socket], [], [], patience)
        self._pg.consume_input()
        while not self._pg.is_busy():
            found = self._pg.get_result()
            if found is None:
                self.busy = False
                return True
            if found.status in _BAD:
                self.failure = self.failure or _failure(found)
            elif found.status in _GOOD:
                columns = range(found.nfields)
                self.answer = Answer(
                    tuple(
                        tuple(_text(found.get_value(row, column)) for column in columns)
                        for row in range(found.ntuples)
                    ),
                    tuple((found.ftable(column), found.ftablecol(column)) for column in columns),
                    found.command_tuples,
                )
        return False

    def run(self, sql: str) -> Failure | None:
        """To the end, at once."""
        self.send(sql)
        while not self.poll(1.0):
            pass
        return self.failure

    def close(self) -> None:
        if self.busy:
            self._connection.cancel()
        self._connection.close()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _failure(found: PGresult) -> Failure:
    def field(code: pq.DiagnosticField) -> str:
        return (found.error_field(code) or b"").decode("utf-8", "replace")

    return Failure(
        field(pq.DiagnosticField.SQLSTATE),
        field(pq.DiagnosticField.MESSAGE_PRIMARY),
        field(pq.DiagnosticField.MESSAGE_DETAIL),
        field(pq.DiagnosticField.CONTEXT),
    )
