"""What a plan needs of the disk and of the other sessions, known before it begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare
from reconciler.catalog.scope import EVERYTHING
from reconciler.embedded import Server, scratch
from reconciler.engine import bystanders, landing
from reconciler.engine.applying import apply
from reconciler.engine.bystanders import HINDERS, holding, remarks, wait_for_room
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.engine.purging import kept
from reconciler.engine.room import Need, Room, free_here, refuse_full, room
from reconciler.errors import Stalled, Waiting
from reconciler.migrate import parse, render
from reconciler.model import LockTaken, ObjectId, Statement
from reconciler.pg import Url, connect
from reconciler.plan.doubts import Doubted
from reconciler.run import Pace

from .conftest import Project

Databases = Callable[..., Url]
Make = Callable[..., Project]
QUICK = Pace(attempts=2, first=0.01)
CONCURRENT = Statement("create index concurrently if not exists i on t (a)", "")


def state(url: Url, sql: str) -> catalog.Snapshot:
    with connect(url) as connection:
        connection.execute(sql.encode())
        return catalog.read(connection, EVERYTHING)


def between(database: Databases, live: str, wanted: str) -> tuple[Url, Doubted]:
    here = database()
    before, after = state(here, live), state(database(), wanted)
    return here, Doubted(before, after, compare(before, after))


def test_the_estimate_is_near_what_is_taken(database: Databases) -> None:
    """Within a factor of three of the index that is built, and of the table that is written anew."""
    table = "create table t (id int primary key, a int, s text);"
    rows = "insert into t select i, i, md5(i::text) from generate_series(1, 50000) as i; analyze t"
    url, plan = between(database, table + rows, table + "create index i on t (s)")
    (index,) = room(url, plan, set()).needs
    (anew,) = (need for need in room(url, plan, {"public.t"}).needs if "anew" in need.what)
    with connect(url) as connection:
        connection.execute("create index i on t (s)")
        built, whole = connection.execute(
            "select pg_relation_size('i'), pg_total_relation_size('t')"
        ).fetchone() or (0, 0)
    assert built / 3 < index.bytes / 2 < built * 3  # the other half is for sorting
    assert whole / 3 < anew.bytes <= whole
    assert index.what == "index of public.i"


@pytest.mark.thorough
@pytest.mark.parametrize("online_rows", [100_000, 1_000], ids=["small", "busy"])
def test_what_is_kept_needs_room(project: Make, online_rows: int) -> None:
    """Within a factor of three of what the copies take, known from the plan as from its file."""
    table = """create type mood as enum ({0}); create table "it's \\ one" (id int primary key, a text, "b, 'c" text);
      create table gone (m mood);"""
    live = table.format("'a', 'b'") + (
        """insert into "it's \\ one" select i, md5(i::text), i from generate_series(1, 3000) as i;
        insert into gone select 'a' from generate_series(1, 3000); analyze"""
    )
    wanted = """create type mood as enum ('a'); create table "it's \\ one" (id int primary key);"""
    p = project(wanted, live=live, online_rows=online_rows, prune=True)
    made = propose(p.database, phases=False)
    assert made.rehearsal is not None and made.rehearsal.passed, made.rehearsal
    assert made.migration is not None
    found = []
    for statements in (made.plan.up, parse(render(made.migration), made.migration.filename).up):
        plan = Doubted(made.before, made.after, made.plan.changes, statements, made.moved)
        found.append(room(p.url, plan, ()).needs)
    assert found[0] == found[1]
    needed = {need.what: need.bytes for need in found[0]}
    names = (ObjectId("column", "public", "it's \\ one", part) for part in ("a", "b, 'c"))
    columns = f"kept values of {', '.join(map(str, names))}"
    assert set(needed) == {columns, "kept copy of public.gone"}
    apply(p.database, allow={"DELETES_DATA"})
    taken = {one.id.kind: one.bytes for one in kept(p.database)}
    assert taken["column"] / 3 < needed[columns] < taken["column"] * 3
    assert taken["table"] / 3 < needed["kept copy of public.gone"] < taken["table"] * 3


def test_a_disk_that_is_too_small_refuses_and_one_that_cannot_be_seen_is_told(database: Databases) -> None:
    table = "create table t (id int primary key, a int);"
    url, plan = between(
        database,
        table + "insert into t select i, i from generate_series(1, 10000) as i; analyze t",
        table + "create index i on t (a)",
    )
    full = room(url, plan, set(), free=lambda live: {"/data": 1000})
    with pytest.raises(
        Stalled,
        match=r"needs about .* of disk beside what is there \(index of public.i: .*\), and /data has 1000 B free",
    ):
        refuse_full(full)
    refuse_full(room(url, plan, set(), free=lambda live: {"/data": 10**12}))
    unseen = Room((Need("public.t written anew", 5 * 1024**3),))
    refuse_full(unseen)
    assert unseen.told() == (
        "this needs about 5.0 GB of disk beside what is there (public.t written anew: 5.0 GB);"
        " how much is free on the server cannot be seen from here",
    )
    assert Room((Need("small", 1000),)).told() == ()


def test_the_free_space_of_a_server_on_this_machine_is_seen(database: Databases) -> None:
    with connect(database()) as connection:
        seen = free_here(connection)
        (directory,) = connection.execute("select current_setting('data_directory')").fetchone() or ("",)
    assert list(seen) == [directory] and seen[directory] > 0


@pytest.mark.majors
def test_who_would_make_a_lock_wait_agrees_with_postgresql(database: Databases) -> None:
    """For each of the eight modes asked for, against each held by another: exactly when PostgreSQL would wait."""
    url = database()
    state(url, "create table t (a int)")
    words = {
        mode: "".join(f" {c.lower()}" if c.isupper() else c for c in mode.removesuffix("Lock")).strip()
        for mode in HINDERS
    }
    with (
        connect(url, autocommit=False, application_name="other") as other,
        connect(url) as look,
        connect(url, autocommit=False) as mine,
    ):
        for held in HINDERS:
            other.execute(f"lock table t in {words[held]} mode".encode())
            for asked in HINDERS:
                seen = holding(look, {"public.t": asked}, old=-1)
                try:
                    mine.execute(f"lock table t in {words[asked]} mode nowait".encode())
                    waits = False
                except psycopg.errors.LockNotAvailable:
                    waits = True
                mine.rollback()
                assert bool(seen) == waits, (asked, held)
                assert all(
                    one.application == "other" and one.tables == "public.t" and one.since for one in seen
                )
            other.rollback()


def test_an_old_transaction_is_waited_for_and_then_named(database: Databases) -> None:
    url = database()
    state(url, "create table t (a int)")
    locks = [LockTaken("public.t", "AccessExclusiveLock")]
    with connect(url, autocommit=False, application_name="nightly") as other:
        other.execute("select * from t")
        told: list[str] = []
        with pytest.raises(
            Waiting,
            match=rf'pid {other.info.backend_pid} \(user .*, application "nightly", idle in transaction\)',
        ) as refused:
            wait_for_room(url, locks, pace=QUICK, on_wait=told.append, old=-1)
        assert "holds public.t; nothing was begun" in refused.value.what and len(told) == 1
        wait_for_room(url, locks, pace=QUICK, old=3600)
        wait_for_room(url, [LockTaken("public.t", "ShareUpdateExclusiveLock")], pace=QUICK, old=-1)
        ends = threading.Timer(0.3, other.rollback)
        ends.start()
        wait_for_room(url, locks, pace=Pace(attempts=50, first=0.1, longest=0.1), old=-1)
        ends.join()


def test_what_a_concurrent_build_would_wait_for_is_told(database: Databases) -> None:
    url = database()
    state(url, "create table t (a int)")
    with connect(url, autocommit=False, application_name="dump") as other:
        other.execute("set transaction isolation level repeatable read")
        other.execute("select 1")
        (told,) = remarks(url, [CONCURRENT], rewrites=False, old=-1)
        assert told.startswith("a concurrent statement will wait for it to end: pid ") and '"dump"' in told
        assert remarks(url, [Statement("alter table t add column b int", "")], rewrites=False, old=-1) == ()


def test_a_prepared_transaction_is_named(server: Server) -> None:
    """On a server of its own: others keep no prepared transactions."""
    with scratch(server.major, settings={"max_prepared_transactions": "2"}) as own:
        state(own.url, "create table t (a int)")
        with connect(own.url, autocommit=False) as other:
            other.execute("insert into t values (1)")
            other.execute("prepare transaction 'forgotten'")
            other.rollback()
        with connect(own.url) as look:
            (one,) = holding(look, {"public.t": "AccessExclusiveLock"}, old=-1)
            assert holding(look, {"public.t": "ShareUpdateExclusiveLock"}, old=-1) == ()
            assert "prepared transaction 'forgotten'" in str(one) and "holds public.t" in str(one)
            (told,) = remarks(own.url, [CONCURRENT], rewrites=False, old=-1)
            assert "'forgotten'" in told
            with pytest.raises(Waiting, match="forgotten") as refused:
                wait_for_room(own.url, [LockTaken("public.t", "AccessExclusiveLock")], pace=QUICK, old=-1)
            assert "holds public.t; nothing was begun" in refused.value.what
            assert "commit or roll back prepared transaction 'forgotten'" in refused.value.hint
            look.execute("rollback prepared 'forgotten'")


def test_tries_at_a_busy_table_let_others_through(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader holds the table for two seconds. Others write all that time: each waits for one lock_timeout at most, not for the reader."""
    p = project(
        "create table t (id int primary key, a int, b int);",
        live="create table t (id int primary key, a int)",
    )
    monkeypatch.setattr(bystanders, "OLD", 3600)
    monkeypatch.setattr(landing, "Pace", lambda sleep: Pace(attempts=50, seconds=60, first=0.2, longest=0.4))
    database = p.database.model_copy(update={"lock_timeout": type(p.database.lock_timeout).parse("200ms")})
    stalls: list[float] = []
    over = threading.Event()

    def write() -> None:
        with connect(p.url) as writer:
            number = 0
            while not over.is_set():
                number += 1
                began = time.monotonic()
                writer.execute("insert into t values (%s, 1)", (number,))
                stalls.append(time.monotonic() - began)
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    with connect(p.url, autocommit=False) as reader:
        release = threading.Timer(2.0, reader.rollback)

        def begin(stage: str) -> None:
            if stage == "ask the live database":
                reader.execute("select * from t")
                release.start()
                writer.start()

        apply(database, told=begin)
        release.join()
    over.set()
    writer.join()
    assert drift(p.database).changes == ()
    assert len(stalls) > 20
    assert max(stalls) < 1.0, f"{max(stalls):.2f} s: somebody waited for the reader"
