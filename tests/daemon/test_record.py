"""What is remembered from pass to pass."""

from __future__ import annotations

from datetime import datetime

from reconciler.daemon.record import Record
from reconciler.engine import suspending
from reconciler.engine.cycle import Pass
from reconciler.engine.drift import Drift
from reconciler.errors import Waiting
from reconciler.migrate import Suspension
from reconciler.model import Change, Condition, ObjectId, Snapshot, Status

AT = "2026-11-26T08:00:00+00:00"
EMPTY = Snapshot({}, {}, {}, (), 17)
PAUSE = Suspension("ann", AT, "repairs")


def unreachable(at: str) -> Pass:
    conditions = (Condition("InSync", "Unknown", "Waiting", "not there", at),)
    return Pass(Status("one", at, conditions), error=Waiting("not there"))


def readable(at: str, pause: Suspension | None) -> Pass:
    """A look that failed although the database was there: a wrong declaration."""
    conditions = (Condition("InSync", "Unknown", "Stalled", "wrong", at),)
    return Pass(suspending.told_of(Status("one", at, conditions), pause))


def test_a_pause_stands_while_the_database_cannot_be_asked() -> None:
    record = Record("one", "apply")
    assert not paused(record.looked(unreachable(AT), {}))
    assert paused(record.looked(readable(AT, PAUSE), {}))
    for _ in range(2):
        status = record.looked(unreachable(AT), {})
        assert paused(status) == 1 and status.facts["suspension"] == suspending.fact(PAUSE)
    ended = record.looked(readable(AT, None), {})
    assert not paused(ended) and ended.facts["suspension"] is None
    assert not paused(record.looked(unreachable(AT), {}))


def paused(status: Status) -> int:
    return [c.type for c in status.conditions].count("Suspended")


def test_what_was_never_seen_is_not_last_known() -> None:
    """Neither a look that fails nor one that hangs makes a state known that nobody has seen."""
    record = Record("one", "apply")
    status = record.looked(unreachable(AT), {})
    assert "drift_as_of" not in status.facts
    hanging = record.unknown(status, "Overdue", "the look has taken long")
    assert "drift_as_of" not in hanging.facts
    assert [(c.type, c.status, c.reason) for c in hanging.conditions] == [("InSync", "Unknown", "Overdue")]
    failed = record.failed(Condition("Faulty", "True", "ValueError", "a fault", AT))
    assert [c.type for c in failed.conditions] == ["InSync", "Faulty"] and "drift_as_of" not in failed.facts


def drifted(at: str) -> Pass:
    policy = Change("create", ObjectId("policy", "public", "t", "mine"))
    conditions = (Condition("InSync", "False", "Drifted", "1 difference", at),)
    seen = Drift("one", (policy,), (), EMPTY, EMPTY)
    return Pass(Status("one", at, conditions, (policy,)), seen)


def test_since_when_it_differs_outlives_another_configuration() -> None:
    record = Record("one", "apply")
    record.events.add(
        '{"command": "DROP POLICY", "objects": [["policy", "mine on public.t"]], "user": "ann", "application": "psql",'
        f' "client": "10.0.0.7", "at": "{AT}"}}'
    )
    record.looked(drifted(AT), {"differences": [{"kind": "policy", "id": "public.t.mine"}]})
    assert record.makers() == " (made by ann with psql from 10.0.0.7)"
    heir = record.heir("observe")
    assert heir.status.conditions == () and heir.status.facts["mode"] == "observe"
    later = heir.looked(drifted("2026-11-26T09:00:00+00:00"), {})
    assert [c.since for c in later.conditions] == [AT]
    assert later.facts["drift_since"] == datetime.fromisoformat(AT).timestamp()
    assert record.status.conditions and heir.makers() == record.makers()
