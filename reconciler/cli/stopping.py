"""SIGTERM and SIGINT while a database is being changed: the run ends in order, and says what stands (exit 4)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from reconciler.errors import Waiting
from reconciler.run.stop import Stop

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Ended(KeyboardInterrupt):
    """Asked to end while nothing was under way that would have to end in order."""


@contextmanager
def stoppable(grace: float) -> Iterator[Stop]:
    """A Stop that both signals ask. While no session is at work they interrupt whatever is done (a rehearsal, say) as Ctrl-C does."""
    stop = Stop(grace)

    def handle(number: int, frame: FrameType | None) -> None:
        stop.ask(signal.Signals(number).name)
        if not stop.engaged:
            raise _Ended

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.signal(one, handle) for one in _SIGNALS}
    try:
        yield stop
    except _Ended:
        if stop.why == "SIGINT":
            raise KeyboardInterrupt from None
        raise Waiting(
            f"stopped by {stop.why}; no statement was under way on the database",
            hint="reconciler history says what stands; run the same command again to go on",
        ) from None
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        stop.close()
