"""The session that stays open to a database: it leads, where the mode changes anything, and it hears of DDL.

A thread of its own, so that a pass that takes an hour does not lose the lease. The server ends the session when nothing was heard
for a lease; this process counts itself as leading only as long as the server must still believe it. Promises that a session
behind a pooler neither leads nor listens.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog
from psycopg.rows import TupleRow

from reconciler import migrate
from reconciler.daemon.events import Events
from reconciler.daemon.log import mask
from reconciler.engine.landing import Warrant
from reconciler.engine.listening import listen
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.pg import connect, pooling
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]

_SHORTEST, _LONGEST = 0.5, 10.0
"""Seconds between two tries to connect."""
_TICK = 0.5
"""Seconds until the end of the process is noticed."""


@dataclass(frozen=True, slots=True)
class Term:
    """This process leads until `until` (time.monotonic), unless it hears from the server before."""

    epoch: int | None
    until: float


class Standing:
    """`heard` is called when DDL was told, and `settled` whenever leadership came or went, or the session was made anew. `error` is why
    nobody here can lead, when that is for a person to change."""

    def __init__(
        self, database: Database, events: Events, *, heard: Callable[[], None], settled: Callable[[], None]
    ) -> None:
        self.error: ReconcilerError | None = None
        self._database, self._events = database, events
        self._heard, self._settled = heard, settled
        self._term: Term | None = None
        self._ends = threading.Event()
        self._lease = database.lease.seconds
        self._beat = min(max(self._lease / 5, 0.2), 2.0)
        self._pause = _SHORTEST
        self._log = structlog.get_logger(__name__).bind(database=database.name)
        self._thread = threading.Thread(target=self._run, name=f"standing {database.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Gives the lead away; whether the server answers is not waited for."""
        self._ends.set()
        self._term = None

    @property
    def competes(self) -> bool:
        """Whether this database is one that somebody must lead."""
        return self._database.mode != "observe"

    @property
    def leads(self) -> bool | None:
        """Whether this process may act on the database now; None where nobody needs to lead."""
        if not self.competes:
            return None
        term = self._term
        return term is not None and time.monotonic() < term.until

    def warrant(self) -> Warrant:
        """By what right this process applies, for the term that runs now. Raises Waiting when it does not lead."""
        term = self._term
        if term is None or time.monotonic() >= term.until:
            raise Waiting("another process leads", hint="it reconciles this database")

        def check(connection: psycopg.Connection[TupleRow]) -> None:
            if self._term is None or self._term.epoch != term.epoch:
                raise Waiting("this process leads no more", hint="whoever leads now goes on from what stands")
            if term.epoch is not None:
                migrate.still_leads(connection, term.epoch)

        return Warrant(check, f"{int(self._lease * 1000)}ms")

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                with self._connect() as session:
                    self._stand(session)
            except Exception as error:  # noqa: BLE001 - without this thread nobody would lead or listen any more
                self._lost(error)
            finally:
                led, self._term = self._term, None
                if led is not None:
                    self._settled()
            self._ends.wait(self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - replicas must not come all at once
            self._pause = min(self._pause * 2, _LONGEST)

    def _connect(self) -> Connection:
        url = self._database.target()
        mask(secret for _, secret in url.secrets)
        return connect(url, application_name="reconciler standing")

    def _lost(self, error: Exception) -> None:
        before, self.error = self.error, None
        if not isinstance(error, (ReconcilerError, psycopg.Error)):
            self._log.error("a fault of this program: the standing session", exc_info=error)
        elif isinstance(error, Stalled) and self.competes:
            self.error = error
            if before is None or before.what != error.what:
                self._settled()

    def _stand(self, session: Connection) -> None:
        try:
            migrate.require_own(session, self._connect)
        except Stalled:
            if self.competes:
                raise
            self._log.warning(
                "behind a pooler in transaction mode: DDL is not heard of, drift is found at check_interval"
            )
            self._ends.wait()
            return
        limit = f"{int(self._lease * 1000)}ms"
        session.execute("select pg_catalog.set_config('idle_session_timeout', %s, false)", (limit,))
        session.execute("select pg_catalog.set_config('lock_timeout', '2s', false)")
        listen(session)
        self._settled()  # nobody knows what was told before
        while not self._ends.is_set():
            asked = time.monotonic()
            pooling.require(session)
            self._keep(session, asked)
            self._pause, self.error = _SHORTEST, None
            while not self._ends.is_set() and time.monotonic() < asked + self._beat:
                for notice in session.notifies(timeout=min(self._beat, _TICK), stop_after=1):
                    self._events.add(notice.payload)
                    self._heard()

    def _keep(self, session: Connection, asked: float) -> None:
        """Leads on, or tries to begin."""
        until = asked + self._lease
        if not self.competes:
            return
        if self._term is not None:
            self._term = Term(self._term.epoch, until)
        elif migrate.lead(session):
            epoch = None
            if self._database.mode == "apply":
                try:
                    epoch = migrate.begin_term(session, holder())
                except psycopg.errors.LockNotAvailable:
                    return  # a transaction of the term before is not over
            self._term = Term(epoch, until)
            self._settled()


def holder() -> str:
    """This process, in words."""
    return f"{socket.gethostname()}, process {os.getpid()}"
