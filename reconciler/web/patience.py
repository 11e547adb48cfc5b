"""How long the server waits for those who talk to it: an on-call engineer's page and `/healthz` answer whoever else is slow.

uvicorn limits only how long a connection may be silent between two requests. Here a connection ends, too, when the head of a request does
not come in time, when its answer is not taken, and, as soon as there are many, when it is the one that has said nothing for longest. A
limit of uvicorn's own on connections (`limit_concurrency`) would answer `/healthz` with 503 as soon as somebody holds enough of them open.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD: Final = 10.0
"""Seconds for the head of a request, from the connection or the last answer on."""
TAKING: Final = 20.0
"""Seconds in which `LEAST` bytes of an answer must be taken."""
LEAST: Final = 64 * 1024
MOST: Final = 100
"""Connections; one more ends the one that has been silent longest."""


class Patient(H11Protocol):
    """One connection. `quiet_since` is the loop's time when it began to wait for a request; None while one is answered."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.access_log = False  # whatever is set on its logger: an address may hold what somebody mistook for a place of the token
        self.quiet_since: float | None = None
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_a_head()
        open_ones = [one for one in self.connections if not one.transport.is_closing()]
        if len(open_ones) > MOST:
            silent = [one for one in open_ones if isinstance(one, Patient) and one.quiet_since is not None]
            # It waits itself: there is always one.
            min(silent, key=lambda one: one.quiet_since or 0.0).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._stop(self._head)
            self.quiet_since = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._answering:
            self._wait_for_a_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_the_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(self._head)
        self._stop(self._taking)
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_a_head(self) -> None:
        self._stop(self._head)
        self.quiet_since = self.loop.time()
        self._head = self.loop.call_later(HEAD, self._overdue)

    def _overdue(self) -> None:
        if self.flow.write_paused:  # the answer is still being taken
            self._wait_for_a_head()
        else:
            self.transport.abort()

    def _watch_the_taking(self) -> None:
        self._stop(self._taking)
        left = self.transport.get_write_buffer_size()
        self._taking = self.loop.call_later(TAKING, self._taken, left)

    def _taken(self, before: int) -> None:
        if self.transport.get_write_buffer_size() > before - LEAST:
            self.transport.abort()
        else:
            self._watch_the_taking()

    def _stop(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
