"""What Prometheus gets: the names of the contract, no object names, nothing that nobody measured."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from statuses import BAD, GONE, GOOD, NEW

from reconciler.web import Published
from reconciler.web.durations import BOUNDS, added, buckets


def scraped(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found, name: str, **labels: str) -> float | None:
    return found.get((f"reconciler_{name}", frozenset(labels.items())))


def test_the_values_are_those_of_the_statuses(board, ask) -> None:
    board.current = Published((GOOD, BAD, NEW, GONE))
    answer = ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = scraped(answer.text)
    expected = [
        (0, "drift_detected", {"database": "good"}),
        (1, "drift_detected", {"database": "bad"}),
        (None, "drift_detected", {"database": "new"}),
        (None, "drift_detected", {"database": "gone"}),
        (1, "condition", {"database": "gone", "type": "InSync", "status": "Unknown"}),
        (1, "drift_objects", {"database": "bad", "kind": "function", "change": "alter"}),
        (1, "drift_objects", {"database": "bad", "kind": "policy", "change": "create"}),
        (1, "drift_objects", {"database": "bad", "kind": "table", "change": "extra"}),
        (1, "condition", {"database": "bad", "type": "InSync", "status": "False"}),
        (0, "condition", {"database": "bad", "type": "InSync", "status": "Unknown"}),
        (0, "pending_statements", {"database": "good"}),
        (1, "pending_statements", {"database": "bad"}),
        (None, "pending_statements", {"database": "new"}),
        (1_795_406_400, "last_check_timestamp_seconds", {"database": "good"}),
        (1_800_000_000.5, "last_success_timestamp_seconds", {"database": "good"}),
        (None, "last_success_timestamp_seconds", {"database": "bad"}),
        (3, "rehearsals_total", {"result": "passed"}),
        (1, "rehearsals_total", {"result": "failed"}),
        (3, "migrations_applied_total", {"database": "good", "direction": "up", "result": "done"}),
        (4, "plan_statements_total", {"engine": "migra"}),
        (1, "engine_failures_total", {"engine": "migra"}),
        (None, "drift_since_timestamp_seconds", {"database": "good"}),
        (1_795_400_000, "drift_since_timestamp_seconds", {"database": "bad"}),
        (0, "hazards_awaiting_approval", {"database": "good"}),
        (2, "hazards_awaiting_approval", {"database": "bad"}),
        (1, "leader", {"database": "good"}),
        (0, "leader", {"database": "bad"}),
        (None, "leader", {"database": "new"}),
        (7, "ddl_events_total", {"database": "good"}),
        (1, "deadlocks_total", {"database": "good"}),
        (None, "deadlocks_total", {"database": "bad"}),
        (1, "audit_findings", {"database": "bad", "severity": "error"}),
        (0, "audit_findings", {"database": "bad", "severity": "info"}),
        (None, "audit_findings", {"database": "good", "severity": "error"}),
        (2, "invariant_violations", {"database": "bad", "invariant": "balanced"}),
        (0, "invariant_violations", {"database": "bad", "invariant": "logged"}),
        (None, "invariant_violations", {"database": "good", "invariant": "balanced"}),
        (4, "reconciles_total", {"database": "good", "trigger": "timer", "result": "in_sync"}),
        (2, "reconciles_total", {"database": "good", "trigger": "files", "result": "applied"}),
    ]
    for wanted, name, labels in expected:
        assert value(found, name, **labels) == wanted, (name, labels)
    assert any(name == "reconciler_build_info" for name, _ in found)


def test_no_object_is_named_and_no_creation_time_is_shown(board, ask) -> None:
    board.current = Published((GOOD, BAD))
    text = ask("/metrics").text
    assert "_created" not in text
    for name in ("accounts", "forgotten", "script", "python_gc", "process_"):
        assert name not in text


def test_durations_are_histograms_that_prometheus_can_read(board, ask) -> None:
    board.current = Published((GOOD, BAD))
    found = scraped(ask("/metrics").text)
    name, of = "reconcile_duration_seconds", {"database": "good", "phase": "observe"}
    counts = [value(found, f"{name}_bucket", **of, le=le) for le in ("0.05", "5", "10", "1200", "+Inf")]
    assert counts == [1, 1, 2, 2, 2]
    assert value(found, f"{name}_count", **of) == 2
    assert value(found, f"{name}_sum", **of) == 7.54
    late = {"database": "good", "phase": "apply"}
    assert value(found, f"{name}_bucket", **late, le="1200") == 0
    assert value(found, f"{name}_bucket", **late, le="+Inf") == 1
    assert value(found, "lock_wait_seconds_bucket", database="good", le="0.25") == 1
    assert value(found, "lock_wait_seconds_count", database="bad") is None


def test_a_distribution_counts_every_time_once_and_leaves_the_old_value_alone() -> None:
    times = [0.0, *BOUNDS, 1e6]
    spread = None
    for n, seconds in enumerate(times):
        before = spread
        spread = added(before, seconds)
        assert before is None or buckets(before)[-1] == ("+Inf", n)
    assert [count for _, count in buckets(spread)] == [*range(2, len(BOUNDS) + 2), len(times)]
    assert spread["sum"] == pytest.approx(sum(times))
