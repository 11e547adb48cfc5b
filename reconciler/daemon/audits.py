"""When the declared state of one database is audited: once for each state and day, while nobody asks for anything but the time.

Promises that an audit that fails ends nothing: what passes by itself is tried again after the next pass, everything else once more
when another state is declared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import psycopg
import structlog

from reconciler.engine import auditing
from reconciler.engine.checkout import used
from reconciler.errors import ReconcilerError, Stalled
from reconciler.model import Json
from reconciler.run.stop import Stop
from reconciler.settings import Database

_IDLE = 1.0
"""Seconds after a new state was declared before it is audited: by then nobody has asked for anything but the time."""


class Audits:
    """`found` is what the newest audit says, None before the first."""

    def __init__(self, stop: Stop, log: structlog.BoundLogger) -> None:
        self.found: dict[str, Json] | None = None
        self._stop, self._log = stop, log.bind(trigger="audit")
        self._known = self._waiting = ""
        self._from = 0.0

    def noted(self, fingerprint: str, day: str) -> None:
        """This state is declared today."""
        known = f"{fingerprint} {day}"
        if known != self._known:
            self._waiting, self._from = fingerprint, time.monotonic() + _IDLE
        self._known = known

    def before(self, deadline: float) -> float:
        """When somebody must wake up who wanted to sleep until `deadline` (time.monotonic)."""
        return min(deadline, self._from) if self._waiting else deadline

    def due(self, triggers: Iterable[str]) -> bool:
        return bool(self._waiting) and set(triggers) <= {"timer"} and time.monotonic() >= self._from

    def made(self, database: Database, told: Callable[[str], None]) -> dict[str, Json] | None:
        """Audits what waits; None when that failed."""
        of, self._waiting = self._waiting, ""
        try:
            with used(database):
                found = auditing.facts(database, of, trust=database.trust or "untrusted", told=told)
        except Exception as error:  # noqa: BLE001 - what is wrong with an audit must not end the watch over a database
            if self._stop.asked:
                return None
            if not isinstance(error, (ReconcilerError, psycopg.Error)):
                self._log.error("a fault of this program: the audit", exc_info=error)
            elif isinstance(error, Stalled):
                self._log.info("no audit is possible", why=str(error))
            else:
                self._known = ""
            return None
        self.found = found
        counts = found["findings"]
        if counts["error"] or counts["warning"]:
            self._log.warning("the audit has something to say", **counts)
        return found
