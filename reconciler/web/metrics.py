"""The metrics: a table of `Status → samples`, one row per metric, rendered when Prometheus asks.

Promises the names of the contract and never an object's name as a label. A value that nobody measured is left
out rather than shown as 0. Counters hold what the publishing process counted since it started.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import reconciler
from reconciler.model import Status
from reconciler.web.published import Published

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. `samples` of several databases with equal labels are added up."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Status], Iterable[Sample]]
    type: Literal["gauge", "counter"] = "gauge"


def _conditions(status: Status) -> Iterator[Sample]:
    for condition in status.conditions:
        for value in ("True", "False", "Unknown"):
            yield (status.database, condition.type, value), float(condition.status == value)


def _drift_objects(status: Status) -> Iterator[Sample]:
    for change in status.drift:
        yield (status.database, change.id.kind, change.verb), 1.0
    for extra in status.extra:
        yield (status.database, extra.kind, "extra"), 1.0


def _drift_detected(status: Status) -> Iterator[Sample]:
    """Nothing while it is not known: 0 would say that nothing differs."""
    unknown = any(c.type == "InSync" and c.status == "Unknown" for c in status.conditions)
    if status.observed_at and not (unknown and "drift_as_of" not in status.facts):
        yield (status.database,), float(bool(status.drift or status.extra))


def _last_check(status: Status) -> Iterator[Sample]:
    if status.observed_at:
        yield (status.database,), datetime.fromisoformat(status.observed_at).timestamp()


def _number(key: str) -> Callable[[Status], Iterator[Sample]]:
    """A number in the facts, by database."""

    def samples(status: Status) -> Iterator[Sample]:
        value = status.facts.get(key)
        if isinstance(value, int | float):
            yield (status.database,), float(value)

    return samples


def _counts(key: str) -> Callable[[Status], Iterator[Sample]]:
    """A mapping of label to number in the facts."""

    def samples(status: Status) -> Iterator[Sample]:
        found: dict[str, float] = status.facts.get(key) or {}
        for label, value in sorted(found.items()):
            yield (label,), float(value)

    return samples


def _applied(status: Status) -> Iterator[Sample]:
    found: dict[str, dict[str, Any]] = status.facts.get("migrations_applied") or {}
    for direction, results in sorted(found.items()):
        for result, value in sorted(results.items()):
            yield (status.database, direction, result), float(value)


def _pending(status: Status) -> Iterator[Sample]:
    plan = status.facts.get("plan")
    if isinstance(plan, dict):
        yield (status.database,), float(len(plan.get("up") or ()))


_DB = ("database",)

TABLE = (
    Row("condition", "1 for the status each condition has", ("database", "type", "status"), _conditions),
    Row("drift_objects", "Objects that differ", ("database", "kind", "change"), _drift_objects),
    Row("drift_detected", "1 when anything differs from what is declared", _DB, _drift_detected),
    Row("pending_statements", "Statements the current plan would run", _DB, _pending),
    Row("last_check_timestamp_seconds", "When the database was last looked at", _DB, _last_check),
    Row("last_success_timestamp_seconds", "When it was last in sync", _DB, _number("last_success")),
    Row("quarantine_objects", "Dropped objects that are kept", _DB, _number("quarantine_objects")),
    Row("quarantine_bytes", "Bytes they take", _DB, _number("quarantine_bytes")),
    Row(
        "quarantine_oldest_timestamp_seconds",
        "Since when the oldest is kept",
        _DB,
        _number("quarantine_oldest"),
    ),
    Row("rehearsals_total", "Plans rehearsed", ("result",), _counts("rehearsals"), "counter"),
    Row(
        "migrations_applied_total", "Migrations run", ("database", "direction", "result"), _applied, "counter"
    ),
    Row("plan_statements_total", "Statements, by author", ("engine",), _counts("plan_statements"), "counter"),
    Row("engine_failures_total", "Drafts that failed", ("engine",), _counts("engine_failures"), "counter"),
)


class _Collector:
    """What prometheus-client asks; reads the published value at the moment of the scrape."""

    def __init__(self, read: Callable[[], Published]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("reconciler_build_info", "The running version", labels=("version", "python"))
        info.add_metric((reconciler.__version__, platform.python_version()), 1)
        yield info
        statuses = self._read().statuses
        for row in TABLE:
            totals: dict[tuple[str, ...], float] = {}
            for status in statuses:
                for labels, value in row.samples(status):
                    totals[labels] = totals.get(labels, 0.0) + value
            family: Metric
            if row.type == "counter":
                family = CounterMetricFamily(f"reconciler_{row.name}", row.help, labels=row.labels)
            else:
                family = GaugeMetricFamily(f"reconciler_{row.name}", row.help, labels=row.labels)
            for labels in sorted(totals):
                family.add_metric(labels, totals[labels])
            yield family


def registry(read: Callable[[], Published]) -> CollectorRegistry:
    """A registry of its own, so that nothing of the host process appears in it.

    Families made at the scrape have no creation time, so there are no `_created` series to switch off.
    """
    made = CollectorRegistry(auto_describe=False)
    made.register(_Collector(read))
    return made
