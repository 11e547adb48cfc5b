"""A pause that comes while a pass is under way: what has begun ends, and nothing else begins."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.engine import suspending
from reconciler.engine.cycle import run_once
from reconciler.engine.looking import as_wished
from reconciler.model import Status

from .conftest import Project

Make = Callable[..., Project]
LIVE = "create table t (id int primary key)"


def paused(status: Status) -> str:
    found = [c for c in status.conditions if c.type == "Suspended"]
    assert len(found) <= 1 and not any(as_wished(one) for one in found)
    return found[0].sentence if found else ""


def columns(p: Project) -> list[str]:
    return [row[0] for row in p.sql("select attname from pg_attribute where attrelid = 't'::regclass and attnum > 0 order by attnum")]  # fmt: skip


def test_a_pause_during_the_rehearsal_comes_before_the_apply(project: Make) -> None:
    p = project("create table t (id int primary key, a text);", live=LIVE, mode="apply", trust="reviewed")
    asked = []

    def told(stage: str) -> None:
        asked.append(stage)
        if stage == "ask the live database":
            suspending.suspend(p.database, "wait", who="http 10.0.0.9")

    status = run_once(p.database, told=told)
    assert "ask the live database" in asked
    assert "(http 10.0.0.9)" in paused(status) and "wait" in paused(status)
    assert columns(p) == ["id"] and p.migrations == []
    assert [str(change.id) for change in status.drift] == ["public.t.a"]
    assert status.facts["applied"] == []

    suspending.resume(p.database)
    after = run_once(p.database)
    assert paused(after) == "" and not after.drift and columns(p) == ["id", "a"]


def test_a_pause_between_two_files_leaves_the_second(project: Make) -> None:
    p = project("create table t (id int primary key, a text, b text);", live=LIVE, mode="apply", trust="reviewed")  # fmt: skip
    for number, column in enumerate("ab", 1):
        p.declare(
            f"-- UP\nbegin;\nalter table t add column if not exists {column} text;\ncommit;\n\\quit\n"
            f"-- DOWN\nbegin;\nalter table t drop column if exists {column};\ncommit;\n",
            f"migrations/2026010100000{number}_add_{column}.sql",
        )
    stages = []

    def told(stage: str) -> None:
        stages.append(stage)
        if stages.count("ask the live database") == 2:
            suspending.suspend(p.database)

    status = run_once(p.database, told=told)
    assert columns(p) == ["id", "a"]
    assert status.facts["applied"] == ["20260101000001"]
    assert paused(status) and [str(change.id) for change in status.drift] == ["public.t.b"]
    suspending.resume(p.database)
    assert run_once(p.database).facts["applied"] == ["20260101000002"]
    assert columns(p) == ["id", "a", "b"]


def test_a_database_that_is_gone_is_not_taken_for_one_that_is_paused(project: Make) -> None:
    p = project("create table t (id int primary key);", live=LIVE)
    suspending.suspend(p.database)
    gone = p.database.model_copy(update={"url": p.url.with_database("no_such_database")})
    assert suspending.seen(gone) is None
    status = run_once(gone)
    assert [(c.type, c.status) for c in status.conditions] == [("InSync", "Unknown"), ("Stalled", "True")]
