"""Fifteen changes of a table with a million rows while clients write to it: how long does the unluckiest client wait?

    python -m tests.benchmarks.online [--url postgresql://postgres@127.0.0.1:5432/postgres]
        [--rows 1000000] [--clients 4] [--only "new index"] [--ours-only] [--json FILE]

For each change two runs under the same load, each on a fresh copy of the same database: the product's own plan (chosen by the
sizes of the target, rehearsed on the same server, applied by `migrate.apply` with a lock_timeout of 300 ms), and migra's SQL as
psql would run it, statement by statement. Before each, some seconds of the load alone are the control. A run passes when no
client got an error, the change completed, the database is as declared, and the longest stall of a client is at most
300 ms + the longest stall of the control run + 100 ms. Ends with 1 when one of ours did not pass.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psycopg

from reconciler import embedded, migrate
from reconciler.engine.planning import propose
from reconciler.model import Migration
from reconciler.pg import Url, connect
from reconciler.plan.draft import draft
from reconciler.settings import Database
from reconciler.settings.duration import Duration
from tests.benchmarks.online_changes import BASE, CHANGES, LOAD, ROWS, Alteration

LOCK_TIMEOUT = "300ms"
ALLOWED = 0.300 + 0.100
MIX = ("update",) * 4 + ("select",) * 3 + ("insert",) * 2 + ("delete",)


@dataclass
class Heard:
    """What one client noticed: (when it ended, how long it took) of the slow ones, how many statements, and errors."""

    slow: list[tuple[float, float]] = field(default_factory=list)
    count: int = 0
    errors: list[str] = field(default_factory=list)

    def longest(self, begin: float, end: float) -> float:
        return max((took for at, took in self.slow if at >= begin and at - took <= end), default=0.0)


@dataclass
class Result:
    """One change in one form, in seconds."""

    change: str
    form: str
    completed: bool
    seconds: float
    stall: float
    control: float
    errors: int
    statements: int
    said: str = ""

    @property
    def passed(self) -> bool:
        return self.completed and not self.errors and self.stall <= ALLOWED + self.control


def client(url: str, table: str, rows: int, seed: int, pipe: Pipe) -> None:
    """Works until told to stop; a statement that fails is noted, and the work goes on."""
    chance, heard = random.Random(seed), Heard()
    with psycopg.connect(url, autocommit=True, application_name="online client") as session:
        pipe.send("ready")
        while not pipe.poll():
            n = chance.randrange(1000)
            said = {"id": chance.randrange(1, rows + 1), "n": n, "code": f"n{seed}-{heard.count}"}
            began = time.monotonic()
            try:
                session.execute(LOAD[table][chance.choice(MIX)], said)
            except psycopg.Error as error:
                heard.errors.append(str(error).splitlines()[0])
            ended = time.monotonic()
            heard.count += 1
            if ended - began > 0.005:
                heard.slow.append((ended, ended - began))
            time.sleep(0.004 * chance.random())
    pipe.send(heard)


@contextmanager
def load(url: Url, table: str, rows: int, clients: int) -> Iterator[list[Heard]]:
    """The clients at work; afterwards the list holds what they noticed."""
    heard: list[Heard] = []
    pipes = []
    for seed in range(clients):
        ours, theirs = mp.Pipe()
        worker = mp.Process(target=client, args=(url.reveal(), table, rows, seed, theirs), daemon=True)
        worker.start()
        pipes.append((worker, ours))
    for _, pipe in pipes:
        assert pipe.recv() == "ready"
    try:
        yield heard
    finally:
        for _, pipe in pipes:
            pipe.send("stop")
        for worker, pipe in pipes:
            heard.append(pipe.recv() if pipe.poll(120) else Heard(errors=["a client never came back"]))
            worker.join(5)
            worker.terminate()


def ours(url: Url, folder: Path, change: Alteration, server: Url) -> Migration:
    """The product's plan for this database."""
    (folder / "all.sql").write_text(change.declared, encoding="utf-8")
    database = Database(
        name="online",
        url=url,
        schema_dir=folder,
        shadow=server,
        lock_timeout=Duration(0.3, LOCK_TIMEOUT),
        schemas=("public",),
    )
    proposal = propose(database)
    assert proposal.rehearsal is not None and proposal.rehearsal.passed, proposal.rehearsal
    assert proposal.migration is not None
    return proposal.migration


def measured(
    change: Alteration, form: str, url: Url, rows: int, clients: int, pause: float, work: object, done: object
) -> Result:
    """The load alone, then with the change, then alone again."""
    completed, said = True, ""
    with load(url, change.busy, rows, clients) as heard:
        time.sleep(1)
        first = time.monotonic()
        time.sleep(pause)
        began = time.monotonic()
        try:
            work()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - whatever it is, the table shows it
            completed, said = False, f"{type(error).__name__}: {error}".splitlines()[0]
            if not isinstance(error, psycopg.Error):
                traceback.print_exc()
        ended = time.monotonic()
        time.sleep(0.5)
    if completed:
        completed = bool(done())  # type: ignore[operator]
        said = said or ("" if completed else "not as declared")
    errors = [text for one in heard for text in one.errors]
    return Result(
        change.name, form, completed, ended - began, max(one.longest(began, ended) for one in heard),
        max(one.longest(first, began) for one in heard), len(errors), sum(one.count for one in heard),
        said or "; ".join(sorted(set(errors)))[:80],
    )  # fmt: skip


class Bench:
    """One server with the filled database as a template."""

    def __init__(self, server: Url, rows: int, clients: int, pause: float) -> None:
        self.server, self.rows, self.clients, self.pause = server, rows, clients, pause
        self.base = self.made("online_base")
        with connect(self.base) as session:
            session.execute(BASE.encode())
            for statement in ROWS.format(rows=rows).split(";\n"):
                if statement.strip():
                    session.execute(statement.encode())

    def made(self, name: str, template: str = "template0") -> Url:
        with connect(self.server) as admin:
            admin.execute(f"drop database if exists {name} with (force)".encode())
            strategy = " strategy file_copy" if admin.info.server_version >= 150000 else ""
            admin.execute(f"create database {name} template {template}{strategy}".encode())
        return self.server.with_database(name)

    def close(self) -> None:
        with connect(self.server) as admin:
            for name in ("online_base", "online_run", "online_wanted", "online_empty"):
                admin.execute(f"drop database if exists {name} with (force)".encode())

    def our_run(self, change: Alteration) -> Result:
        url = self.made("online_run", "online_base")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            migration = ours(url, path, change, self.server)
            database = Database(
                name="online", url=url, schema_dir=path, shadow=self.server, schemas=("public",)
            )
            return measured(
                change, "ours", url, self.rows, self.clients, self.pause,
                lambda: migrate.apply(url, migration, lock_timeout=LOCK_TIMEOUT),
                lambda: propose(database, prove=False).plan.up == (),
            )  # fmt: skip

    def migras_run(self, change: Alteration) -> Result:
        url, wanted, empty = (
            self.made("online_run", "online_base"),
            self.made("online_wanted"),
            self.made("online_empty"),
        )
        for target, text in (
            (wanted, change.declared),
            (empty, BASE + "create index events_id on public.events (id);"),
        ):
            with connect(target) as session:
                session.execute(text.encode())
        script = draft(empty, wanted)

        def run() -> None:
            with connect(url) as session:
                for statement in script:
                    session.execute(statement.encode())

        return measured(change, "migra", url, self.rows, self.clients, self.pause, run, lambda: True)


def table(results: list[Result]) -> str:
    """One line for each change: ours, and migra's beside it."""
    lines = [
        f"{'change':36} | {'ours: stall':>11} {'control':>8} {'allowed':>8} {'errors':>6} {'took':>7} {'ok':>4}"
        f" | {'migra: stall':>12} {'control':>8} {'errors':>6} {'took':>7} {'done':>5}"
    ]
    by_change: dict[str, dict[str, Result]] = {}
    for result in results:
        by_change.setdefault(result.change, {})[result.form] = result
    for name, forms in by_change.items():
        one, other = forms.get("ours"), forms.get("migra")
        line = f"{name:36} | "
        if one:
            line += (
                f"{one.stall * 1000:8.0f} ms {one.control * 1000:5.0f} ms {(ALLOWED + one.control) * 1000:5.0f} ms"
                f" {one.errors:6} {one.seconds:5.1f} s {'yes' if one.passed else 'NO':>4}"
            )
        if other:
            line += (
                f" | {other.stall * 1000:9.0f} ms {other.control * 1000:5.0f} ms {other.errors:6} {other.seconds:5.1f} s"
                f" {'yes' if other.completed else 'NO':>5}"
            )
        lines.append(line)
        lines += [f"    {r.form}: {r.said}" for r in forms.values() if r.said]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a superuser on a server for this alone; without it one is started")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--control", type=float, default=5.0, help="seconds of the load alone before each change"
    )
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    if said.url:
        return run(said, Url.parse(said.url))
    with embedded.scratch(
        settings={"wal_level": "logical", "shared_buffers": "512MB", "max_wal_size": "4GB"}
    ) as server:
        return run(said, server.url)


def run(said: argparse.Namespace, server: Url) -> int:
    """All changes, one after another; prints as it goes."""
    bench = Bench(server, said.rows, said.clients, said.control)
    results: list[Result] = []
    try:
        for change in CHANGES:
            if said.only and change.name not in said.only:
                continue
            results.append(bench.our_run(change))
            if not said.ours_only:
                results.append(bench.migras_run(change))
            print(table(results[-1:] if said.ours_only else results[-2:]).split("\n", 1)[1], flush=True)
    finally:
        bench.close()
    print("\n" + table(results))
    if said.json:
        said.json.write_text(
            json.dumps([asdict(r) | {"passed": r.passed} for r in results], indent=1), encoding="utf-8"
        )
    mine = [result for result in results if result.form == "ours"]
    print(
        f"\n{sum(r.passed for r in mine)} of {len(mine)} changes passed; {said.rows:,} rows, {said.clients} clients"
    )
    return 0 if all(result.passed for result in mine) else 1


if __name__ == "__main__":
    sys.exit(main())
