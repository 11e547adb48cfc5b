"""`reconciler apply` killed with SIGKILL: the database is at before or at after, history agrees, the next run finishes.

The moments are spread over a whole run as it was measured just before, the statements' own time stretched so that some of the
kills meet them. Run with `pytest -m faults tests/faults`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import Scope
from reconciler.pg import Url, connect

pytestmark = [pytest.mark.faults, pytest.mark.timeout(0)]

MOMENTS = 6
BEFORE = "create table t (id int primary key); insert into t select generate_series(1, 100)"
SLOW = """
create type state as enum ('a', 'b');
create table t (id int primary key, state state not null default 'b', note text);
create view v as select id from t;
create function napping() returns int language sql as 'select 1 from pg_sleep(0.4)';
create materialized view naps as select napping() as one;
create table late (id int primary key);
"""
WITH_A_STEP = SLOW.replace("('a', 'b')", "('a', 'b', 'c')").replace("default 'b'", "default 'c'")
PUBLIC = Scope(frozenset({"public"}))


def _command(url: Url, folder: Path) -> list[str]:
    return [
        sys.executable, "-m", "reconciler", "apply", "--url", url.reveal(), "--schema-dir", str(folder), "--yes", "--allow", "all",
        "--quiet",
    ]  # fmt: skip


def _fingerprint(url: Url) -> str:
    with connect(url) as connection:
        return catalog.read(connection, PUBLIC, depth="digests").fingerprint


@pytest.mark.parametrize("declared", [SLOW, WITH_A_STEP], ids=["one transaction", "recorded steps"])
def test_a_killed_apply_leaves_before_or_after_and_the_next_run_finishes(
    declared: str, database: Callable[..., Url], tmp_path: Path
) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    live = BEFORE if declared is SLOW else BEFORE + "; create type state as enum ('a', 'b')"

    def fresh(number: int) -> tuple[Url, Path]:
        url, folder = database(), tmp_path / str(number)
        folder.mkdir()
        (folder / "all.sql").write_text(declared)
        with connect(url) as connection:
            connection.execute(live.encode())
        return url, folder

    url, folder = fresh(0)
    before = _fingerprint(url)
    began = time.monotonic()
    subprocess.run(_command(url, folder), env=environment, check=True, capture_output=True, timeout=300)
    whole = time.monotonic() - began
    after = _fingerprint(url)
    assert before != after
    seen = []
    for moment in range(1, MOMENTS + 1):
        url, folder = fresh(moment)
        process = subprocess.Popen(
            _command(url, folder), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # The second half of a run is where the target is touched: most moments go there.
        time.sleep(whole * (0.3 + 0.7 * moment / MOMENTS))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        time.sleep(
            1.5
        )  # the server notices the lost client within a second (client_connection_check_interval)
        with connect(url) as connection:
            rows = migrate.read(connection)
        state = _fingerprint(url)
        finished = [row for row in rows if row.finished_at]
        halfway = [row for row in rows if not row.finished_at]
        if halfway:
            assert declared is WITH_A_STEP and 0 < halfway[0].steps_done < halfway[0].steps
            seen.append(f"step {halfway[0].steps_done}")
        else:
            assert state == (after if finished else before)
            seen.append("after" if finished else "before")

        again = subprocess.run(
            _command(url, folder), env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert again.returncode == 0, again.stderr
        assert _fingerprint(url) == after
        with connect(url) as connection:
            rows = migrate.read(connection)
        assert [row.direction for row in rows] == ["up"] and rows[0].finished_at
    print("states found:", ", ".join(seen))
