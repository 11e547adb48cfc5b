"""When the loop stops repairing what something undoes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine.refusals import FIGHT, refuse_repetition
from reconciler.errors import Stalled
from reconciler.migrate.history import restored
from reconciler.model import Applied


def row(number: int, ago: timedelta, sql: str = "grant select on table t to a;", way: str = "up") -> Applied:
    at = (datetime.now(UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sql = f"\nbegin;\n\n-- t\n--   by catalog\n{sql}\n\ncommit;\n"
    return Applied(f"2026010100000{number}", "x", "c", way, "ann", at, at, 0.1, 1, 1, sql, "")  # type: ignore[arg-type]


A_MINUTE, LONG_AGO = timedelta(minutes=1), FIGHT + timedelta(minutes=1)


def test_what_is_undone_once_is_repaired_and_what_is_undone_again_is_told() -> None:
    due = restored(row(9, A_MINUTE))
    assert [s.sql for s in due.up] == ["grant select on table t to a"]
    refuse_repetition([row(1, A_MINUTE)], due)
    with pytest.raises(Stalled, match="20260101000001 and 20260101000002 and is due again"):
        refuse_repetition([row(1, A_MINUTE), row(2, A_MINUTE)], due)


@pytest.mark.parametrize(
    "history",
    [
        [row(1, LONG_AGO), row(2, A_MINUTE)],
        [row(1, A_MINUTE), row(2, A_MINUTE, "grant select on table t to b;")],
        [row(1, A_MINUTE), row(2, A_MINUTE, way="down")],
    ],
    ids=["an hour ago", "something else between", "taken back"],
)
def test_it_is_no_fight(history: list[Applied]) -> None:
    refuse_repetition(history, restored(row(9, A_MINUTE)))
