"""SIGTERM and SIGINT while a migration runs: in order, rolled back or recorded, exit 4, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from commands import Place

from reconciler import migrate
from reconciler.engine import applying, bystanders, landing
from reconciler.pg import Url, connect
from reconciler.run import Pace

TABLE = "create table notes (id int primary key, line text);"
SLEEPS = """-- UP
begin;
alter table notes add column if not exists extra text;
do $$ begin if current_database() = '{database}' and {guard} then perform pg_sleep(120); end if; end $$;
commit;
\\quit
-- DOWN
begin;
alter table notes drop column if exists extra;
commit;
"""
BUILDS = """-- UP
create index concurrently if not exists notes_line on notes (line);
\\quit
-- DOWN
drop index concurrently if exists notes_line;
"""


def begun(place: Place, file: str, *, grace: str) -> subprocess.Popen[str]:
    """`apply --yes` of one hand-written file, as a process of its own."""
    migrations = place.schema / "migrations"
    migrations.mkdir(exist_ok=True)
    (migrations / "20260101000000_by_hand.sql").write_text(file)
    config = place.folder / "reconciler.yaml"
    config.write_text(
        f"databases:\n  - {{name: a, url: '{place.url.reveal()}', schema_dir: {place.schema}, shadow: '{place.shadow}', grace: {grace},"
        " allow: [DELETES_DATA]}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", "apply", "--yes", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip


def until(place: Place, condition: str) -> None:
    """Waits until a session of the applier is in that state."""
    for _ in range(1200):
        seen = f"select count(*) from pg_stat_activity where application_name = 'reconciler apply' and datname = current_database() and {condition}"
        if place.sql(seen) != [(0,)]:
            return
        time.sleep(0.1)
    raise AssertionError(f"never {condition}")


def left(place: Place) -> tuple[bool, int, int]:
    """(is the column there, rows of the history, sessions of the applier)"""
    ((there, sessions),) = place.sql(
        "select exists (select from pg_attribute where attrelid = 'notes'::regclass and attname = 'extra' and not attisdropped),"
        " (select count(*) from pg_stat_activity where application_name = 'reconciler apply' and datname = current_database())"
    )
    with connect(place.url) as live:
        return there, len(migrate.read(live)), sessions


@pytest.mark.parametrize(
    ("grace", "signals"),
    [("1s", [signal.SIGTERM]), ("1s", [signal.SIGINT]), ("10min", [signal.SIGTERM, signal.SIGTERM])],
    ids=["SIGTERM", "SIGINT", "twice"],
)
def test_a_statement_is_cancelled_and_rolled_back(
    place: Place, grace: str, signals: list[signal.Signals]
) -> None:
    place.declare(TABLE.replace("text)", "text, extra text)"))
    place.sql(TABLE)
    process = begun(place, SLEEPS.format(database=place.url.database, guard="true"), grace=grace)
    try:
        until(place, "wait_event = 'PgSleep'")
        began = time.monotonic()
        for one in signals:
            process.send_signal(one)
            time.sleep(0.3)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 4, err
    assert time.monotonic() - began < 30
    assert f"stopped by {signals[0].name}" in err and "user request" in err
    assert "everything in this step was rolled back" in err and "nothing of it is in the database" in err
    assert left(place) == (False, 0, 0)


def test_a_concurrent_build_is_cancelled_and_built_by_the_next_run(place: Place) -> None:
    place.declare(TABLE + "create index notes_line on notes (line);")
    place.sql(TABLE)
    with connect(place.url, autocommit=False) as report:
        report.execute("set transaction isolation level repeatable read")
        report.execute("select count(*) from notes")
        process = begun(place, BUILDS, grace="1s")
        try:
            until(place, "wait_event_type = 'Lock' and query ilike 'create index%'")
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 4, err
        assert "stopped by SIGTERM" in err and "runs outside a transaction and can run again" in err
        # What the next run would find: an index that IF NOT EXISTS takes for the wanted one.
        assert place.sql("select count(*) from pg_index where not indisvalid") in ([(0,)], [(1,)])
        report.rollback()
    done = place.run("apply --yes")
    assert done.code == 0, done.err
    assert place.sql("select indisvalid from pg_index where indexrelid = 'notes_line'::regclass") == [(True,)]
    assert place.sql("select steps_done, steps from reconciler.migrations") == [(1, 1)]


QUICK = Pace(attempts=2, first=0.01)


@pytest.fixture
def held(place: Place) -> Callable[[], Url]:
    place.declare(TABLE.replace("text)", "text, extra text)"))
    place.sql(TABLE)
    return lambda: place.url


def test_who_holds_the_lock_is_named(
    place: Place, held: Callable[[], Url], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By apply's own tries, and by the look before them when the transaction is an old one."""
    monkeypatch.setattr(applying, "_PATIENCE", QUICK)
    monkeypatch.setattr(landing, "Pace", lambda sleep: QUICK)
    monkeypatch.setenv("RECONCILER_DATABASES__0__LOCK_TIMEOUT", "300ms")
    with connect(held(), application_name="nightly report", autocommit=False) as other:
        other.execute("select * from notes")
        pid, user = other.info.backend_pid, other.info.user

        monkeypatch.setattr(bystanders, "OLD", 1e6)
        tried = place.run("apply --yes")
        assert tried.code == 4
        assert (
            f'public.notes is held by pid {pid} (user {user}, application "nightly report", idle in transaction, since 20'
            in tried.err
        )
        assert "after 2 tries" in tried.err and f"pg_terminate_backend({pid})" in tried.err

        monkeypatch.setattr(bystanders, "OLD", 0.0)
        looked = place.run("apply --yes")
        assert looked.code == 4
        assert (
            f'pid {pid} (user {user}, application "nightly report", idle in transaction) has a transaction open since 20'
            in looked.err
        )
        assert "holds public.notes" in looked.err and "nothing was begun" in looked.err
    assert left(place) == (False, 0, 0)
