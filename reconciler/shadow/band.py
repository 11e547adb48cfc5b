"""From times at a few scales to a band at the target's: arithmetic alone.

What reads or writes every row grows with the rows; how far from a straight line through the median at the largest scale it was on ten
times as many rows is what FACTORS says (`tests/benchmarks/bands.py` measures it). Beyond ten times the band opens further. What grew
faster than the rows at both steps, and not by a few milliseconds, goes on as it began. What does not grow stays what it is: over at
once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from reconciler.model import Band

Work = Literal["reads", "builds", "changes", "looks up"]
"""What a statement does with the rows: reads them once; writes the table or an index anew; changes them one by one, with a version left
behind for each; looks each one up in another table, or batch by batch."""

FACTORS: Mapping[Work, tuple[float, float]] = {
    "reads": (0.45, 1.3),
    "builds": (0.55, 1.55),
    "changes": (0.65, 1.85),
    "looks up": (0.5, 2.9),
}
"""Between which shares of the straight line the time lies on ten times the rows. A table that keys are looked up in no longer fits
into the caches then."""
_WIDEST = 5.9
"""At ten times the rows; the real number of rows is seldom exactly that."""
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


def band(points: Sequence[Point], live: int, *, work: Work = "builds", grows: bool = True) -> Band | None:
    """The seconds at `live` rows from `points`, the smallest scale first; None without a point.

    `grows` says that the statement was seen to touch whole tables; of others the times decide.
    """
    if not points:
        return None
    first, last = points[0], points[-1]
    growth = last.usual - first.usual
    if not grows and growth < max(_NOISE, first.usual / 2):
        return over_at_once(max(second for point in points for second in point.seconds))
    less, more = FACTORS[work]
    times = max(live / last.rows, 1.0)
    power = _power(points)
    if power > 1:
        usual = last.usual * math.pow(times, power)
        return Band(usual * less, usual * more * _opening(times))
    slope = max(growth, 0.0) / (last.rows - first.rows) if last.rows > first.rows else 0.0
    line, from_zero = last.usual + slope * (live - last.rows), last.usual * times
    high = max(line, from_zero) * more * _opening(times)
    low = min(max(line, last.usual), from_zero) * less / _opening(times)
    return Band(max(low, high / _WIDEST / _opening(times) ** 2), high)


def over_at_once(longest: float) -> Band:
    """The band of what does not grow, from the longest that it took."""
    return Band(0.0, max(_AT_ONCE, 3 * longest))


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
