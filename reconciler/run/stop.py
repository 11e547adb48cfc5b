"""A run that somebody asks to end: by a signal, or by whoever holds this.

What is under way may end by itself within the grace time; after that it is cancelled, and its transaction is rolled back. Asked a second
time, it is cancelled at once. Promises to interrupt nothing but the statement that runs: what is committed is recorded, what
is not is rolled back, and the next run goes on from there.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Waiting

_AGAIN = 5.0
"""Seconds until a session that is still busy is cancelled again: with clearing up, say."""
_TICK = 0.1


class Stop:
    """`grace` is in seconds. `why` is what asked, in words; empty until somebody does. `engaged` says that a session is at work that
    must come to an end in an orderly way."""

    def __init__(self, grace: float = 10.0) -> None:
        self.why = ""
        self.engaged = False
        self._grace = grace
        self._over = False
        # A signal handler may interrupt the very code that holds an Event's lock; this queue may be put to from there.
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._session: psycopg.Connection[TupleRow] | None = None
        self._thread: threading.Thread | None = None

    def ask(self, why: str) -> None:
        """Asks to end; again: at once. Safe in a signal handler."""
        self.why = self.why or why
        self._calls.put(None)

    @property
    def asked(self) -> bool:
        return bool(self.why)

    def check(self) -> None:
        """Raises Waiting when the run was asked to end."""
        if self.asked:
            raise Waiting(
                f"stopped by {self.why}", hint="run the same command again: it goes on from what stands"
            )

    def sleep(self, seconds: float) -> None:
        """A pause that ends, with Waiting, as soon as somebody asks."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))
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
        self._over = True
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        self._called(None)
        pause = self._grace
        while not self._over:
            self._called(pause)
            pause = _AGAIN
            session = self._session
            if session is not None and not session.closed and not self._over:
                # Somebody who cannot reach the server cannot cancel; the server ends the session when its client is gone.
                with suppress(psycopg.Error):
                    session.cancel_safe(timeout=_AGAIN)

    def _called(self, within: float | None) -> None:
        """Returns when somebody calls, or when the time is over."""
        with suppress(Empty):
            self._calls.get(timeout=within)
