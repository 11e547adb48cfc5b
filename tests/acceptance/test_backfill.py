"""The batched fill beside clients: it waits for nobody's row, misses none that moves, and goes on after a kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from corpus import load, read

from reconciler.catalog.kinds import Context
from reconciler.model import Limits, ObjectId, Size, Statement
from reconciler.pg import Url, connect
from reconciler.plan import online
from reconciler.plan.complete import complete
from reconciler.run import run_step, steps

OLD = "create table t (id int primary key, a int, pad text) with (fillfactor = 50)"
NEW = "create table t (id int primary key, a int, pad text, b int) with (fillfactor = 50)"
ROWS = "insert into t select n, n, repeat('x', 100) from generate_series(1, 20000) as n"
COLUMN = ObjectId("column", "public", "t", "b")


@pytest.fixture
def filling(database: Callable[..., Url]) -> tuple[Url, list[Statement], Statement, list[Statement]]:
    """A database, and of the plan that fills `b` with `a * 2`: what comes before the fill, the fill, what comes after it."""
    old, new = database(), database()
    load(old, OLD)
    load(new, NEW)
    load(old, ROWS)
    a, b = read(old), read(new)
    up = complete(Context(a, b, "postgres", {COLUMN: "a * 2"}))
    down = complete(Context(b, a, "postgres"))
    sizes = {ObjectId("table", "public", "t"): Size(1_000_000)}
    up, _ = online.rewritten(
        up, down, a, b, sizes=sizes, limits=Limits(), applier="postgres", fills={COLUMN: "a * 2"}
    )
    at = next(n for n, s in enumerate(up) if not s.transactional)
    return old, list(up[:at]), up[at], list(up[at + 1 :])


def run(url: Url, statements: list[Statement]) -> None:
    with connect(url) as session:
        for step in steps(statements):
            run_step(session, step)


def wrong(url: Url) -> int:
    with connect(url) as session:
        row = session.execute("select count(*) from t where b is distinct from a * 2").fetchone()
        assert row is not None
        return int(row[0])


def test_rows_that_somebody_holds_are_left_for_later(filling) -> None:  # type: ignore[no-untyped-def]
    url, before, fill, after = filling
    run(url, before)
    with connect(url) as holder, connect(url) as session:
        holder.execute("begin")
        holder.execute("select * from t where id in (5, 15000) for update")
        done = threading.Thread(target=run, args=(url, [fill]))
        done.start()
        deadline = time.monotonic() + 60
        while wrong(url) > 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert wrong(url) == 2
        assert done.is_alive()  # it comes back for them
        blocked = session.execute("select count(*) from pg_locks where not granted").fetchone()
        assert blocked == (0,)
        holder.execute("rollback")
        done.join(60)
        assert not done.is_alive()
    run(url, after)
    assert wrong(url) == 0


def test_no_row_is_missed_that_clients_write_meanwhile(filling) -> None:  # type: ignore[no-untyped-def]
    url, before, fill, after = filling
    run(url, before)
    stop, errors = threading.Event(), []

    def write(seed: int) -> None:
        try:
            with connect(url) as session:
                n = seed
                while not stop.is_set():
                    n += 37
                    session.execute(
                        "update t set a = a + 1 where id between %s and %s", (n % 20000, n % 20000 + 5)
                    )
                    session.execute("insert into t values (%s, 1, 'new')", (100000 + n * 2 + seed,))
                    session.execute("delete from t where id = %s", (n % 999,))
        except psycopg.Error as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in (0, 1)]
    for writer in writers:
        writer.start()
    run(url, [fill])
    stop.set()
    for writer in writers:
        writer.join(30)
    assert errors == []
    with connect(url) as session:
        assert session.execute("select count(*) from t where b is null").fetchone() == (0,)
    run(url, after)


def test_a_killed_fill_goes_on(filling) -> None:  # type: ignore[no-untyped-def]
    url, before, fill, after = filling
    run(url, before)
    with connect(url) as session, connect(url) as other:
        pid = session.info.backend_pid

        def kill() -> None:
            while wrong(url) in (0, 20000):
                time.sleep(0.005)
            other.execute("select pg_terminate_backend(%s)", (pid,))

        killer = threading.Thread(target=kill)
        killer.start()
        slow = fill.sql.replace("pg_catalog.pg_sleep(extract", "pg_catalog.pg_sleep(0.05 + extract")
        assert slow != fill.sql
        with pytest.raises(psycopg.OperationalError):
            session.execute(slow.encode())
        killer.join(30)
    left = wrong(url)
    assert 0 < left < 20000
    run(url, [fill, *after])
    assert wrong(url) == 0
