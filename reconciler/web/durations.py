"""How long things took, as a JSON value: what the facts of a status carry and Prometheus reads as a histogram.

    {"le": {"0.05": 0, "0.1": 2, …, "+Inf": 5}, "sum": 7.25}

`le` counts what took at most so many seconds, each bound with those below it; `+Inf` counts all. Pure: adding gives a new value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.model import Json

BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0)
"""Seconds: from a look at a database where nothing moved to an apply that runs into `statement_timeout`."""

Distribution = Mapping[str, Json]


def added(before: Distribution | None, seconds: float) -> dict[str, Json]:
    """`before` and one thing more, which took `seconds`. None is a distribution of nothing."""
    bounds = dict(before["le"]) if before else dict.fromkeys((*map(_text, BOUNDS), "+Inf"), 0)
    return {
        "le": {bound: count + (seconds <= float(bound)) for bound, count in bounds.items()},
        "sum": round((before["sum"] if before else 0.0) + seconds, 6),
    }


def buckets(found: Distribution) -> tuple[tuple[str, float], ...]:
    """Bound and count, narrowest first."""
    return tuple(sorted(((bound, float(count)) for bound, count in found["le"].items()), key=_bound))


def _bound(bucket: tuple[str, float]) -> float:
    return float(bucket[0])


def _text(bound: float) -> str:
    return f"{bound:g}"
