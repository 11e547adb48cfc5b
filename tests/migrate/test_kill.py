"""A process killed in the middle of applying: history and database agree, and the next run finishes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from applying import migration

from reconciler.migrate import apply, latest, read, rollback, state_of, write
from reconciler.pg import Url, connect

NAP = "select pg_catalog.pg_sleep(0.03)"
UP = [
    "create table if not exists public.t (a int primary key)",
    NAP,
    "insert into public.t values (1) on conflict do nothing",
    NAP,
    "|create index concurrently if not exists t_a on public.t (a)",
    NAP,
    "alter table public.t add column if not exists b int",
    f"|{NAP}",
    "insert into public.t values (2), (3) on conflict do nothing",
    NAP,
    "update public.t set b = coalesce(b, 0) + 1",
    NAP,
]
DOWN = [
    "|drop index concurrently if exists public.t_a",
    NAP,
    "alter table if exists public.t drop column if exists b",
    NAP,
    f"|{NAP}",
    NAP,
    "drop table if exists public.t",
    NAP,
]
MADE = migration(UP, DOWN)


@contextmanager
def killable(directory: Path, url: Url) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("killable.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        say(server, url.reveal())
        yield server
        assert server.stdin is not None
        server.stdin.close()


def say(server: subprocess.Popen[str], line: str) -> None:
    assert server.stdin is not None
    server.stdin.write(line + "\n")
    server.stdin.flush()


def hear(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline().strip()


def kill_after(server: subprocess.Popen[str], direction: str, statements: int, delay: float) -> None:
    """Starts a run and kills it `delay` seconds after its n-th statement, or lets it end when it was faster."""
    say(server, direction)
    pid = int(hear(server))
    for _ in range(statements):
        hear(server)
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    say(server, "reap")
    while hear(server) != "gone":
        pass


def state(url: Url) -> str:
    """Asserts that history and database say the same; returns what they say."""
    with connect(url) as session:
        while session.execute(
            "select from pg_catalog.pg_stat_activity where application_name = 'reconciler apply'"
            " and datname = pg_catalog.current_database()"
        ).fetchone():
            time.sleep(0.01)  # the orphaned session ends with the statement it is at
        row = latest(read(session)).get(MADE.version)
        found = session.execute(
            """
            select to_regclass('public.t') is not null,
                   exists (select from pg_attribute where attname = 'b' and attrelid = to_regclass('public.t'))
            """
        ).fetchone()
        assert found is not None
        table, column = found
        rows = session.execute("select * from public.t order by a").fetchall() if table else []
    if row is None:
        assert not table
        return "before"
    if row.direction == "up":
        assert table
        assert column == (row.steps_done >= 3)
        assert len(rows) == (3 if row.steps_done == 5 else 1)
        assert row.steps_done < 5 or rows == [(1, 1), (2, 1), (3, 1)]
    else:
        assert table == (row.steps_done < 4)
        assert column == (row.steps_done < 2)
    return f"{state_of(row)}: {row.steps_done} of {row.steps}"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_killed_at_any_moment_the_next_run_finishes(
    database: Callable[..., Url], tmp_path: Path, direction: str
) -> None:
    """One kill inside each statement of the script, at a random moment of it."""
    write(MADE, tmp_path)
    chance, url, met = random.Random(direction), database(), set[str]()
    script, run, undo = (UP, apply, rollback) if direction == "up" else (DOWN, rollback, apply)
    if direction == "down":
        apply(url, MADE)
    with killable(tmp_path, url) as server:
        for statements in range(len(script)):
            kill_after(server, direction, statements, chance.random() * 0.03)
            met.add(state(url))
            run(url, MADE)
            assert state(url) == ("applied: 5 of 5" if direction == "up" else "rolled back: 4 of 4")
            undo(url, MADE)
    assert len(met) >= 4, met
