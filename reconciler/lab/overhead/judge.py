"""From pairs of times to a verdict. Pure: the random source is passed in."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from reconciler.lab.overhead.values import Estimate, Verdict

_DRAWS = 800
_TAIL = 0.005
FEWEST = 8
"""Rounds below which nothing is said: the median lies between the least and the greatest of eight with 99.2 %."""


def estimate(pairs: Sequence[float], control: Sequence[float], chance: random.Random) -> Estimate:
    """`pairs` are times with over times without, minus one, round by round; `control` the same of a statement and itself."""
    low, high = interval(pairs, chance)
    less, more = interval(control, chance)
    return Estimate(statistics.median(pairs), low, high, max(abs(less), abs(more)), len(pairs))


def interval(values: Sequence[float], chance: random.Random) -> tuple[float, float]:
    """The 99 % interval of the median."""
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(_DRAWS))
    at = int(_DRAWS * _TAIL)
    return medians[at], medians[-1 - at]


def verdict(found: Estimate, budget: float) -> Verdict:
    """PASS or FAIL when the whole interval, widened by the noise, lies on one side of the budget."""
    if found.rounds < FEWEST:
        return "INCONCLUSIVE"
    if found.high + found.noise < budget:
        return "PASS"
    if found.low - found.noise > budget:
        return "FAIL"
    return "INCONCLUSIVE"


def superlinear(points: Sequence[tuple[int, float]]) -> bool:
    """Whether a row costs ever more the more rows a statement has: at least half as much again at each of the last two steps."""
    costs = [cost for _, cost in points if cost > 0]
    if len(costs) < 3:
        return False
    return all(later > 1.5 * earlier for earlier, later in zip(costs[-3:-1], costs[-2:], strict=True))
