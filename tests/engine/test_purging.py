"""What is kept, with somebody else beside the one who ends it: each pair of sessions ends as if one had waited for the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from reconciler.engine import purging
from reconciler.engine.applying import apply, rollback
from reconciler.errors import Stalled, Waiting
from reconciler.migrate import applier
from reconciler.model import Quarantined
from reconciler.pg import connect
from reconciler.run import Pace
from reconciler.settings import Duration

from .conftest import Project

Make = Callable[..., Project]
ALLOWED = {"DELETES_DATA"}
BEFORE = "create table people (id integer primary key); create table visits (id integer primary key, a text, b text);"
AFTER = "create table people (id integer primary key);"
ROWS = "insert into visits select n, 'a', 'b' from generate_series(1, 5) as n"


@contextmanager
def later(act: Callable[[], Any]) -> Iterator[Future[Any]]:
    """`act` on a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(act)


def kept(project: Make, before: str = BEFORE, after: str = AFTER, rows: str = ROWS, **extra: Any) -> Project:
    p = project(before, lock_timeout=Duration.parse("20s"), **extra)
    apply(p.database)
    p.sql(rows)
    p.declare(after)
    apply(p.database, allow=ALLOWED)
    return p


def blocked(p: Project, running: Future[Any]) -> None:
    """Returns when a session of the database waits for a lock."""
    for _ in range(1200):
        assert not running.done(), running.result()
        if p.sql(
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def here(p: Project) -> str:
    """The one kept table, by its name now."""
    ((name,),) = p.sql("select distinct kept_as from reconciler_quarantine.kept")
    return f"reconciler_quarantine.{name}"


def quick(p: Project) -> Project:
    return Project(p.folder, p.url, {**p.extra, "lock_timeout": Duration.parse("100ms")})


@pytest.mark.thorough
def test_who_holds_between_the_look_and_the_drop_wins(project: Make) -> None:
    """Both that destroy have read the registry, and wait for a reader of the table; then it is held."""
    p = kept(project)
    ends: list[Callable[[], Any]] = [
        lambda: purging.purge(p.database, older_than=0),
        lambda: purging.erase(p.database, "true"),
    ]
    for end in ends:
        with connect(p.url) as reader, reader.transaction():
            reader.execute(f"select from {here(p)}".encode())
            with later(end) as running:
                blocked(p, running)
                # The list asks for the size of what is locked: the mark is set as `hold` sets it.
                p.sql("update reconciler_quarantine.kept set held = 'lawsuit'")
                reader.execute("commit")
                found = running.result()
        reasons = (
            [reason for _, reason in found.left]
            if isinstance(found, purging.Purged)
            else [one.reason for one in found]
        )
        assert reasons == ["held: lawsuit"]
        p.sql("update reconciler_quarantine.kept set held = null")
    rollback(p.database)
    assert p.sql("select count(*) from visits") == [(5,)]


@pytest.mark.thorough
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_a_hold_that_has_not_ended_is_waited_for(project: Make, isolation: str) -> None:
    p = kept(project)
    with connect(p.url) as admin:
        name = admin.info.dbname
        admin.execute(
            f"alter database \"{name}\" set default_transaction_isolation to '{isolation}'".encode()
        )
    with connect(p.url) as holder:
        holder.execute("begin")
        holder.execute("update reconciler_quarantine.kept set held = 'lawsuit'")
        with later(lambda: purging.purge(p.database, older_than=0)) as running:
            blocked(p, running)
            holder.execute("commit")
            found = running.result()
    assert (found.gone, [reason for _, reason in found.left], found.passes) == ((), ["held: lawsuit"], False)
    assert p.sql(f"select count(*) from {here(p)}") == [(5,)]


def test_who_holds_too_late_is_told(project: Make) -> None:
    """A hold that waited for a purge does not say that it holds what is gone, nor one that gave up waiting."""
    p = kept(project)
    with connect(p.url) as purger:
        purger.execute("begin")
        purger.execute("delete from reconciler_quarantine.kept")
        with pytest.raises(Waiting, match=r"somebody is purging.*public\.visits"):
            purging.hold(quick(p).database, ["public.visits"], "lawsuit")
        with later(lambda: purging.hold(p.database, ["public.visits"], "lawsuit")) as running:
            blocked(p, running)
            purger.execute("commit")
            with pytest.raises(Stalled, match=r"no longer kept.*: table public.visits"):
                running.result()


@pytest.mark.thorough
def test_beside_an_applier_nothing_is_destroyed(project: Make) -> None:
    p = kept(project)
    with applier(lambda: connect(p.url, application_name="somebody's apply"), wait=0, pace=Pace()):
        with pytest.raises(Waiting, match="somebody's apply"):
            purging.purge(p.database, older_than=0, wait=0.1)
        with pytest.raises(Waiting, match="another applier is at work"):
            purging.erase(p.database, "true", wait=0.1)
        # It need not wait for the end of an apply to be safe from the purge after it.
        assert [one.held for one in purging.hold(p.database, ["public.visits"], "lawsuit")] == ["lawsuit"]
        purging.hold(p.database, ["public.visits"], None)
    assert [one.rows for one in purging.erase(p.database, "id = 1")] == [1]
    assert len(purging.purge(p.database, older_than=0).gone) == 1


@pytest.mark.thorough
def test_what_came_back_meanwhile_is_not_destroyed(project: Make) -> None:
    """Somebody runs the DOWN by hand: then the table is no longer there, or another is kept under the same name."""
    p = kept(project)
    name = here(p)
    with connect(p.url) as other:
        other.execute("begin")
        other.execute(f"alter table {name} set schema public".encode())
        with later(lambda: purging.purge(p.database, older_than=0)) as running:
            blocked(p, running)
            other.execute("delete from reconciler_quarantine.kept")
            other.execute("commit")
            found = running.result()
        assert (found.gone, len(found.left), found.passes) == ((), 1, True)
        other.execute("begin")
        other.execute(
            f"alter table {name.replace('reconciler_quarantine', 'public')} set schema reconciler_quarantine".encode()
        )
        other.execute(
            "insert into reconciler_quarantine.kept (tag, kind, schema, name, kept_as, kept_at)"
            " select 'old', 'table', 'public', 'visits', %s, now() - interval '30 days'", (name.split(".")[1],),
        )  # fmt: skip
        other.execute("commit")
        other.execute("begin")
        other.execute("update reconciler_quarantine.kept set kept_at = now()")
        with later(lambda: purging.purge(p.database)) as running:
            blocked(p, running)
            other.execute("commit")
            found = running.result()
    assert (found.gone, len(found.left)) == ((), 1)
    assert p.sql(f"select count(*) from {name}") == [(5,)]


@pytest.mark.thorough
def test_columns_that_share_what_they_are_kept_in_go_together_or_not_at_all(project: Make) -> None:
    p = kept(project, after=BEFORE.replace(", a text, b text", ""))
    assert {one.id.part for one in purging.kept(p.database)} == {"a", "b"}
    with connect(p.url) as holder:
        holder.execute("begin")
        holder.execute("update reconciler_quarantine.kept set held = 'lawsuit' where part = 'b'")
        with later(lambda: purging.purge(p.database, older_than=0)) as running:
            blocked(p, running)
            holder.execute("commit")
            found = running.result()
    assert {reason for _, reason in found.left} == {"held: lawsuit"}
    assert len(found.left) == 2
    assert p.sql(f"select count(*) from {here(p)}") == [(5,)]
    p.sql(
        "update reconciler_quarantine.kept set held = null, kept_at = now() - interval '1 day' * (id % 2) * 30"
    )
    found = purging.purge(p.database)
    assert (found.gone, [reason for _, reason in found.left]) == ((), ["part of it is still to be kept"])
    assert len(purging.purge(p.database, older_than=0).gone) == 2
    assert p.sql("select count(*) from reconciler_quarantine.kept") == [(0,)]


def test_only_what_was_agreed_to_goes(project: Make) -> None:
    """What an apply dropped while somebody was asked was not shown, however short the time."""
    p = kept(project)
    shown = purging.kept(p.database)
    p.declare("create table other (id integer);")
    p.sql("insert into people values (1)")
    apply(p.database, allow=ALLOWED)
    found = purging.purge(p.database, older_than=0, agreed=shown)
    assert (found.gone, found.left) == (shown, ())
    assert [str(one.id) for one in purging.kept(p.database)] == ["public.people"]


def test_what_somebody_uses_stays_for_the_next_time(project: Make) -> None:
    p = quick(kept(project))
    with connect(p.url) as reader, reader.transaction():
        reader.execute(f"select from {here(p)}".encode())
        found = purging.purge(p.database, older_than=0)
        assert (found.gone, found.passes) == ((), True)
        assert "somebody else is using it" in found.left[0][1]
        (erased,) = purging.erase(p.database, "true")
        assert (erased.rows, erased.passes) == (None, True)
    assert len(purging.purge(p.database, older_than=0).gone) == 1


@pytest.mark.thorough
def test_the_list_waits_for_a_purge_and_goes_on(project: Make) -> None:
    p = kept(project)
    with connect(p.url) as purger:
        purger.execute("begin")
        purger.execute(f"drop table {here(p)}".encode())
        with later(lambda: purging.kept(p.database)) as running:
            blocked(p, running)
            purger.execute("commit")
            found: tuple[Quarantined, ...] = running.result()
    assert [one.bytes for one in found] == [0]
