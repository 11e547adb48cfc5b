"""A run that somebody asks to end: by a signal, or by whoever holds this.

What is under way may end by itself within the grace time; after that it is cancelled, and its transaction is rolled back. Asked a second
time, it is cancelled at once. Promises to interrupt nothing but the statement that runs: what is committed is recorded, what
is not is rolled back, and the next run goes on from there.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Waiting

_AGAIN = 5.0
"""Seconds until a session that is still busy is cancelled again: with clearing up, say."""


class Stop:
    """`grace` is in seconds. `why` is what asked, in words; empty until somebody does. `engaged` says that a session is at work that
    must come to an end in an orderly way."""

    def __init__(self, grace: float = 10.0) -> None:
        self.why = ""
        self.engaged = False
        self._grace = grace
        self._asked = threading.Event()
        self._now = threading.Event()
        self._over = threading.Event()
        self._session: psycopg.Connection[TupleRow] | None = None
        self._thread: threading.Thread | None = None

    def ask(self, why: str) -> None:
        """Asks to end; again: at once. Safe in a signal handler."""
        if self._asked.is_set():
            self._now.set()
        self.why = self.why or why
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def check(self) -> None:
        """Raises Waiting when the run was asked to end."""
        if self.asked:
            raise Waiting(
                f"stopped by {self.why}", hint="run the same command again: it goes on from what stands"
            )

    def sleep(self, seconds: float) -> None:
        """A pause that ends, with Waiting, as soon as somebody asks."""
        self._asked.wait(seconds)
        self.check()

    def watch(self, session: psycopg.Connection[TupleRow]) -> None:
        """`session` begins to work: its statement is the one to cancel."""
        self._session, self.engaged = session, True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reconciler-stop", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """No session is at work."""
        self._session, self.engaged = None, False

    def close(self) -> None:
        """Nobody will work any more."""
        self.rest()
        self._over.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        self._asked.wait()
        if self._over.is_set():
            return
        self._now.wait(self._grace)
        while not self._over.is_set():
            session = self._session
            if session is not None and not session.closed:
                # Somebody who cannot reach the server cannot cancel; the server ends the session when its client is gone.
                with suppress(psycopg.Error):
                    session.cancel_safe(timeout=_AGAIN)
            self._over.wait(_AGAIN)
