"""How often and how long something is tried again. Knows time and chance, so that nobody else here needs to.

Promises bounded waiting: at most `attempts` tries and no new try after `seconds`. Tests pass their own
`sleep`, `random` and `clock`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Jittered exponential backoff: after try n a pause of `first` · 2^(n-1) seconds, at most `longest`,
    times a random factor between ½ and 1.

    The jitter keeps two waiting programs from meeting again and again; the pause lets the queue that built up
    behind our own lock request drain.
    """

    attempts: int = 10
    seconds: float = 60.0
    first: float = 0.1
    longest: float = 10.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def pauses(self) -> Iterator[float]:
        """The pause in seconds before each further try; ends when trying again is over. Does not sleep
        itself.
        """
        began = self.clock()
        for tried in range(self.attempts - 1):
            pause = min(self.longest, self.first * 2.0**tried) * (0.5 + self.random() / 2)
            if self.clock() - began + pause > self.seconds:
                return
            yield pause
