"""A durable server that may be killed: its data lies in memory, but whatever it acknowledges is written and flushed.

Promises the same port and password after every restart. Ends with the tests, however they end.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow

from reconciler.embedded import Server, local
from reconciler.embedded.account import account
from reconciler.embedded.place import best_place
from reconciler.errors import ReconcilerError
from reconciler.pg import Url, connect, ident

T = TypeVar("T")
Session = psycopg.Connection[TupleRow]
SETTINGS = {
    "shared_buffers": "16MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "512MB",
    "max_locks_per_transaction": "128",
    "max_connections": "60",
    "max_parallel_workers": "0",
    "dynamic_shared_memory_type": "mmap",
}
UP_AGAIN_WITHIN = 60.0


class Cluster:
    """`url` is the superuser's; `server` the running server, another one after each restart."""

    def __init__(self, directory: Path, major: int | None) -> None:
        self._directory, self._major = directory, major
        self._running = ExitStack()
        self._sessions: dict[str, Session] = {}
        self.server: Server = self._start()
        self.url: Url = self.server.url

    def _start(self) -> Server:
        return self._running.enter_context(local(self._directory, self._major, settings=SETTINGS))

    def close(self) -> None:
        for database in list(self._sessions):
            self._forget(database)
        self._running.close()

    def restart(self) -> None:
        """Stops at once, as when the machine is reset, and starts again: the server repeats its log."""
        os.kill(self.server.pid, signal.SIGQUIT)
        self._running.close()
        self.server = self._start()

    def crash(self, pid: int) -> bool:
        """Kills one backend; the server then ends all others and recovers. False when that backend has gone."""
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == self.server.pid:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def terminate(self, pid: int) -> bool:
        """Ends one session as an administrator does. False when it has gone."""
        return bool(self.ask(self.url, "select pg_catalog.pg_terminate_backend(%s, 2000)", pid)[0][0])

    def ask(self, url: Url, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer to one question."""

        def asked(session: Session) -> list[tuple[Any, ...]]:
            found = session.execute(sql.encode(), values or None)
            return found.fetchall() if found.description else []

        return self.reading(url, asked)

    def reading(self, url: Url, call: Callable[[Session], T]) -> T:
        """What `call` finds out in a session that is kept; tried again while the server recovers."""
        deadline = time.monotonic() + UP_AGAIN_WITHIN
        while True:
            try:
                if url.database not in self._sessions:
                    self._sessions[url.database] = connect(url, application_name="judge")
                return call(self._sessions[url.database])
            except (psycopg.OperationalError, ReconcilerError):
                self._forget(url.database)
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _forget(self, database: str) -> None:
        if database in self._sessions:
            self._sessions.pop(database).close()

    @contextmanager
    def database(self, name: str) -> Iterator[Url]:
        """A database of that name, made anew, dropped afterwards."""
        self.ask(self.url, f"drop database if exists {ident(name)} with (force)")
        self.ask(self.url, f"create database {ident(name)} template template0")
        try:
            yield self.url.with_database(name)
        finally:
            self._forget(name)
            self.ask(self.url, f"drop database if exists {ident(name)} with (force)")


@contextmanager
def cluster(major: int | None) -> Iterator[Cluster]:
    directory = Path(tempfile.mkdtemp(prefix="reconciler-faults-", dir=best_place(account())))
    running = None
    try:
        running = Cluster(directory, major)
        yield running
    finally:
        if running is not None:
            running.close()
        shutil.rmtree(directory)
