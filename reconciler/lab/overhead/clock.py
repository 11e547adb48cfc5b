"""How long a session's statement took: the processor time of its backend where Linux shows it, else time as it passes.

On a machine that does other things, too, the one differs from run to run by one or two per cent and the other by twenty (measured), and
a trigger of five per cent can only be judged by the first. What waits for a disk or a lock costs no processor time: contention is
measured by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.lab.overhead.values import Clock

Read = Callable[[], int]


def clock_of(pid: int, *, here: bool) -> tuple[Clock, Read]:
    """A clock in nanoseconds for the backend `pid`; `here` says that the server runs on this machine."""
    place = Path(f"/proc/{pid}/schedstat")
    if here:
        try:
            if (
                b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
                and int(place.read_text().split()[0]) > 0
            ):
                return "cpu", lambda: int(place.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return "wall", time.perf_counter_ns
    return "wall", time.perf_counter_ns


@contextmanager
def timing(read: Read) -> Iterator[list[int]]:
    """The nanoseconds that the block took, put into the list when it ends."""
    found: list[int] = []
    began = read()
    yield found
    found.append(read() - began)
