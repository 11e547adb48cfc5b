"""What the worker of one database waits for. Files, the timer, the DDL listener, signals and HTTP only ever ask for a pass; many
asks become one, and what is asked during a pass leads to another. Nothing is told about what happened: everything is read again.
"""

from __future__ import annotations

import threading
import time
from typing import Literal

Trigger = Literal["start", "timer", "files", "git", "listener", "http", "signal", "again"]
"""Why a pass is made. A closed list: it is a label of a metric."""


class Wakeup:
    """Safe in every thread; not in a signal handler, which may interrupt the very code that holds the lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked: list[Trigger] = []
        self._closed = False

    def ask(self, trigger: Trigger) -> None:
        with self._changed:
            if trigger not in self._asked:
                self._asked.append(trigger)
            self._changed.notify_all()

    def wait(
        self, deadline: float | None = None, *, quiet: float = 0.0, longest: float = 5.0
    ) -> tuple[Trigger, ...]:
        """What was asked since the last time, first first; empty when nothing was until `deadline` (time.monotonic) or the end.

        After the first ask it waits until nobody has asked for `quiet` seconds, for `longest` at most: a checkout writes file after
        file.
        """
        with self._changed:
            while not self._asked and not self._closed:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return ()
                self._changed.wait(left)
            end = time.monotonic() + longest
            while not self._closed and quiet > 0:
                if not self._changed.wait(min(quiet, max(end - time.monotonic(), 0.0))):
                    break
            found, self._asked = tuple(self._asked), []
            return found

    def close(self) -> None:
        """Nobody waits any more, now or later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed
