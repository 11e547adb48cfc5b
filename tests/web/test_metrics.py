"""What Prometheus gets: the names of the contract, no object names, nothing that nobody measured."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from statuses import BAD, GONE, GOOD, NEW

from reconciler.web import Published


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
