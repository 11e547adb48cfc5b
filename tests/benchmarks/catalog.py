"""How long a look, a plan and a rehearsal take on a large database, against pg_dump and migra on the same one.

    python -m tests.benchmarks.catalog --tables 5000

Starts a server of its own, makes two databases (as it is, and with ten changes), and takes all measures in turn, several times, so
that what else the machine does falls on all of them. Prints medians and ratios; exits 1 when a ratio misses its bar. Nothing is
asserted about seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.catalog import snapshot as catalog
from reconciler.embedded import Server, scratch
from reconciler.engine import unmoved
from reconciler.engine.planning import propose
from reconciler.pg import Url, connect
from reconciler.plan.draft import draft
from reconciler.settings import Database
from tests.benchmarks.many_tables import FUNCTION, declared, ten_changes


@dataclass(frozen=True, slots=True)
class Bar:
    """`measure` may take at most `ratio` times as long as `against`."""

    measure: str
    ratio: float
    against: str


BARS = (
    Bar("nothing moved", 0.1, "pg_dump -s"),
    Bar("fingerprint", 1.1, "pg_dump -s"),
    Bar("full snapshot", 1.5, "pg_dump -s"),
    Bar("plan, no change, warm cache", 1.3, "pg_dump -s"),
    Bar("plan of 10 changes, rehearsed on its slice", 1.0, "migra's diff alone"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tables", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--major", type=int)
    asked = parser.parse_args()
    if asked.tables < 400:
        parser.error("at least 400 tables: ten of them are changed, and a small database has no slice")
    with tempfile.TemporaryDirectory() as folder, scratch(asked.major) as server:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        seconds = _measured(server, Path(folder), asked.tables, asked.rounds)
    return _told(seconds, asked.tables, server.major)


def _measured(server: Server, folder: Path, tables: int, rounds: int) -> dict[str, list[float]]:
    still, changed = folder / "still", folder / "changed"
    declared(still, tables)
    declared(changed, tables)
    ten_changes(changed)
    before, after = _made(server, "before", still, tables), _made(server, "after", changed, tables)
    unchanged = [
        sys.executable, "-m", "reconciler", "plan", "--check", "--quiet", "--url", before.reveal(), "--schema-dir", str(still),
    ]  # fmt: skip
    pending = Database(name="before", url=before, schema_dir=changed)
    say("the first look, which fills the caches")
    subprocess.run(unchanged, check=True, stdout=subprocess.DEVNULL)
    _plan_of_ten(pending)
    measures: dict[str, Callable[[], object]] = {
        "pg_dump -s": lambda: _dump(server, before),
        "nothing moved": lambda: _with(before, unmoved.state),
        "fingerprint": lambda: _with(before, catalog.fingerprint),
        "full snapshot": lambda: _with(before, catalog.read),
        "plan, no change, warm cache": lambda: subprocess.run(
            unchanged, check=True, stdout=subprocess.DEVNULL
        ),
        "migra's diff alone": lambda: draft(before, after),
        "plan of 10 changes, rehearsed on its slice": lambda: _plan_of_ten(pending),
    }
    seconds: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, measure in measures.items():
            began = time.perf_counter()
            measure()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _made(server: Server, name: str, folder: Path, tables: int) -> Url:
    """A database with what the folder declares."""
    say(f"make the database {name}")
    with connect(server.url) as admin:
        admin.execute(f"create database {name} template template0".encode())
    url = server.url.with_database(name)
    with connect(url) as connection:
        connection.execute(FUNCTION)
        for begin in range(0, tables, 100):
            files = (folder / f"t{n:05d}.sql" for n in range(begin, min(tables, begin + 100)))
            connection.execute("".join(file.read_text(encoding="utf-8") for file in files).encode())
        connection.execute("vacuum analyze")
    return url


def _dump(server: Server, url: Url) -> None:
    command = [server.binaries.program("pg_dump"), "--schema-only", "--no-password"]
    environment = {**os.environ, **url.environment()}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _with(url: Url, read: Callable[..., object]) -> object:
    with connect(url) as connection:
        return read(connection)


def _plan_of_ten(database: Database) -> None:
    stages: list[str] = []
    began = time.perf_counter()
    found = propose(database, told=lambda stage: stages.append(f"{stage} {time.perf_counter() - began:.1f}"))
    say(f"    {' · '.join(stages)}")
    assert len(found.plan.changes) == 10, found.plan.changes
    assert found.rehearsal is not None
    assert found.rehearsal.passed, found.rehearsal.residue
    assert found.rehearsal.scope == "slice", found.plan.notes


def _told(seconds: dict[str, list[float]], tables: int, major: int) -> int:
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    print(f"{tables} tables, PostgreSQL {major}, medians of {len(next(iter(seconds.values())))} rounds")
    for name, median in medians.items():
        print(f"  {name:44} {median:8.3f} s   ({min(seconds[name]):.3f} … {max(seconds[name]):.3f})")
    missed = 0
    for bar in BARS:
        ratio = medians[bar.measure] / medians[bar.against]
        missed += ratio > bar.ratio
        verdict = "MISSED" if ratio > bar.ratio else "ok"
        print(f"  {bar.measure:44} {ratio:6.2f} × {bar.against}, at most {bar.ratio}: {verdict}")
    return 1 if missed else 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
