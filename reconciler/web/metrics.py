"""The metrics: a table of `Status → samples`, one row per metric, rendered when Prometheus asks.

Promises the names of the contract and never an object's name as a label. A value that nobody measured is left
out rather than shown as 0. Counters and histograms hold what the publishing process counted since it started;
`deadlocks_total` is the server's count.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import reconciler
from reconciler.model import Status
from reconciler.web.durations import Distribution, buckets
from reconciler.web.published import Published

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""

Spread = tuple[tuple[str, ...], Distribution]
"""The values of the labels, and how long each took."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number. `samples` of several databases with equal labels are added up."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Status], Iterable[Sample]]
    type: Literal["gauge", "counter"] = "gauge"


@dataclass(frozen=True, slots=True)
class Histogram:
    """One distribution of seconds. The first label is the database, so that no two are to be added up."""

    name: str
    help: str
    labels: tuple[str, ...]
    spreads: Callable[[Status], Iterable[Spread]]


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


def _counts_of_two(key: str) -> Callable[[Status], Iterator[Sample]]:
    """A mapping of label to label to number in the facts, by database."""

    def samples(status: Status) -> Iterator[Sample]:
        found: dict[str, dict[str, float]] = status.facts.get(key) or {}
        for first, counts in sorted(found.items()):
            for second, value in sorted(counts.items()):
                yield (status.database, first, second), float(value)

    return samples


def _phases(status: Status) -> Iterator[Spread]:
    found: dict[str, Distribution] = status.facts.get("reconcile_duration") or {}
    for phase, spread in sorted(found.items()):
        yield (status.database, phase), spread


def _lock_wait(status: Status) -> Iterator[Spread]:
    found: Distribution | None = status.facts.get("lock_wait")
    if found:
        yield (status.database,), found


def _pending(status: Status) -> Iterator[Sample]:
    plan = status.facts.get("plan")
    if isinstance(plan, dict):
        yield (status.database,), float(len(plan.get("up") or ()))
    else:
        yield from _number("pending_statements")(status)


def _audit_findings(status: Status) -> Iterator[Sample]:
    """Nothing while nobody audited: 0 would say that nothing was found."""
    found: dict[str, float] = (status.facts.get("audit") or {}).get("findings") or {}
    for severity, value in sorted(found.items()):
        yield (status.database, severity), float(value)


def _invariants(status: Status) -> Iterator[Sample]:
    """One that could not be asked is left out, and so is all of it while nobody asked."""
    found: dict[str, float] = (status.facts.get("invariants") or {}).get("rows") or {}
    for name, value in sorted(found.items()):
        yield (status.database, name), float(value)


def _source_info(status: Status) -> Iterator[Sample]:
    commit = str((status.facts.get("source") or {}).get("commit"))
    if re.fullmatch(r"[0-9a-f]{40,64}", commit):
        yield (status.database, commit), 1.0


def _source_fetch(status: Status) -> Iterator[Sample]:
    at = (status.facts.get("source") or {}).get("fetched_at")
    if at:
        yield (status.database,), float(at)


_DB = ("database",)

TABLE = (
    Row("condition", "1 for the status each condition has", ("database", "type", "status"), _conditions),
    Row("drift_objects", "Objects that differ", ("database", "kind", "change"), _drift_objects),
    Row("drift_detected", "1 when anything differs from what is declared", _DB, _drift_detected),
    Row("drift_since_timestamp_seconds", "Since when it differs, as last known", _DB, _number("drift_since")),
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
    Row("hazards_awaiting_approval", "Hazards nobody allowed yet", _DB, _number("hazards_awaiting_approval")),
    Row(
        "audit_findings",
        "What the audit finds in what is declared",
        ("database", "severity"),
        _audit_findings,
    ),
    Row("invariant_violations", "Rows that break an invariant", ("database", "invariant"), _invariants),
    Row("source_info", "1 for the commit that is declared", ("database", "commit"), _source_info),
    Row("source_fetch_timestamp_seconds", "When its branch was last fetched", _DB, _source_fetch),
    Row("leader", "1 while this process may apply here", _DB, _number("leader")),
    Row(
        "reconciles_total",
        "Passes, by what asked for them and how they ended",
        ("database", "trigger", "result"),
        _counts_of_two("reconciles"),
        "counter",
    ),
    Row("ddl_events_total", "What the DDL listener reported", _DB, _number("ddl_events"), "counter"),
    Row("deadlocks_total", "Deadlocks in this database", _DB, _number("deadlocks"), "counter"),
    Row("rehearsals_total", "Plans rehearsed", ("result",), _counts("rehearsals"), "counter"),
    Row(
        "migrations_applied_total",
        "Migrations run",
        ("database", "direction", "result"),
        _counts_of_two("migrations_applied"),
        "counter",
    ),
    Row("plan_statements_total", "Statements, by author", ("engine",), _counts("plan_statements"), "counter"),
    Row("engine_failures_total", "Drafts that failed", ("engine",), _counts("engine_failures"), "counter"),
)

HISTOGRAMS = (
    Histogram(
        "reconcile_duration_seconds",
        "How long each part of a pass took",
        ("database", "phase"),
        _phases,
    ),
    Histogram("lock_wait_seconds", "How long statements waited for their locks", _DB, _lock_wait),
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
        for histogram in HISTOGRAMS:
            spread = HistogramMetricFamily(
                f"reconciler_{histogram.name}", histogram.help, labels=histogram.labels
            )
            for status in statuses:
                for labels, found in histogram.spreads(status):
                    spread.add_metric(labels, buckets(found), found["sum"])
            yield spread


def registry(read: Callable[[], Published]) -> CollectorRegistry:
    """A registry of its own, so that nothing of the host process appears in it.

    Families made at the scrape have no creation time, so there are no `_created` series to switch off.
    """
    made = CollectorRegistry(auto_describe=False)
    made.register(_Collector(read))
    return made
