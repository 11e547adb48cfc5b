"""From times at a few scales to a band at the target's: arithmetic alone.

What reads or writes every row grows with the rows: on ten times as many it was measured to take 0.5 to 1.5 times what a straight line
through the median at the largest scale says (scans, rewrites, sorts, index builds, updates; `tests/benchmarks/bands.py`). Beyond ten
times the band opens further. A foreign key is looked up in a table that no longer fits into the caches, and has taken up to 2.9
times; what grew faster than the rows at both steps, and not by a few milliseconds, goes on as it began. What does not grow stays what
it is: over at once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from reconciler.model import Band

_LOW, _HIGH = 0.5, 1.45
_LOOKED_UP = 2.9
_WIDEST = 6.0
_AT_ONCE = 0.05
"""Seconds within which a statement that does not grow is over."""
_NOISE = 0.003
"""Seconds that two runs of the same differ by without a reason."""
_STEEP = 1.3
"""Exponent from which on growth is more than a sort's or a cache's."""


@dataclass(frozen=True, slots=True)
class Point:
    """One scale: rows, and the seconds of every round."""

    rows: int
    seconds: tuple[float, ...]

    @property
    def usual(self) -> float:
        return statistics.median(self.seconds)


def band(points: Sequence[Point], live: int, *, heavy: bool = True, looked_up: bool = False) -> Band | None:
    """The seconds at `live` rows from `points`, the smallest scale first; None without a point.

    `heavy` says that the statement was seen to read or write whole tables, `looked_up` that it checks a foreign key.
    """
    if not points:
        return None
    first, last = points[0], points[-1]
    growth = last.usual - first.usual
    if not heavy and growth < max(_NOISE, first.usual / 2):
        longest = max(second for point in points for second in point.seconds)
        return Band(0.0, max(_AT_ONCE, 3 * longest))
    times = max(live / last.rows, 1.0)
    power = _power(points)
    if power > 1:
        usual = last.usual * math.pow(times, power)
        return Band(usual * _LOW, usual * _HIGH * _opening(times))
    slope = max(growth, 0.0) / (last.rows - first.rows) if last.rows > first.rows else 0.0
    line, from_zero = last.usual + slope * (live - last.rows), last.usual * times
    high = max(line, from_zero) * (_LOOKED_UP if looked_up else _HIGH) * _opening(times)
    low = min(max(line, last.usual), from_zero) * _LOW / _opening(times)
    return Band(max(low, high / _WIDEST / _opening(times) ** 2), high)


def _opening(times: float) -> float:
    """By how much the band is wider than at ten times the rows: a quarter more for every further ten times, less before."""
    return max(math.pow(1.25, math.log10(times) - 1), 0.8)


def _power(points: Sequence[Point]) -> float:
    """The exponent of what grows faster than the rows at every step; 1 for everything else."""
    if len(points) < 3 or points[0].usual < _NOISE:
        return 1.0
    steps = [
        math.log(later.usual / earlier.usual) / math.log(later.rows / earlier.rows)
        for earlier, later in pairwise(points)
        if later.rows > earlier.rows
    ]
    slowest = min(steps, default=1.0)
    return min(slowest, 3.0) if slowest >= _STEEP else 1.0
