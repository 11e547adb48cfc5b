"""What the quarantine form keeps, and for how long it locks anybody out: every destructive verb, without rows and with many.

    python -m tests.benchmarks.quarantine --rows 1000000 --major 18

Plans each verb as `reconciler plan` would, runs UP, writes rows, runs DOWN and UP again, and compares: definitions by pg_dump, rows by
hashes that the server makes. Meanwhile a second session looks which ACCESS EXCLUSIVE locks the first one holds on tables that were
there; a lock counts from the last look without it to the first look without it again, so that the figure is never too small. Prints a
table, of each figure the smallest of the rounds, because whatever else the machine does only adds to it; exits 1 when something differs, or a lock lasts more than 50 ms longer with the rows than without.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.catalog import snapshot
from reconciler.embedded import Server, scratch
from reconciler.model import Form, ObjectId, Plan, Size, Statement
from reconciler.pg import Url, connect, ident
from reconciler.plan.build import Bench, build
from reconciler.run import run_step, steps
from reconciler.shadow.rehearse import Expected
from reconciler.shadow.scratch import shadow
from tests.benchmarks.destructive import TABLES, Verb
from tests.benchmarks.destructive_columns import COLUMNS, VALUES
from tests.judge import difference, dump

APART = "--exclude-schema=reconciler_quarantine"
BAR = 0.050


@dataclass(frozen=True, slots=True)
class Way:
    """One direction that ran: seconds in all, and the longest that an ACCESS EXCLUSIVE lock was held."""

    seconds: float
    locked: float


@dataclass(slots=True)
class Result:
    """What one verb did at one size: its ways, and in words what was not as before."""

    ways: dict[str, list[Way]] = field(default_factory=lambda: {"up": [], "down": []})
    wrong: list[str] = field(default_factory=list)

    def locked(self, way: str) -> float:
        return min(one.locked for one in self.ways[way])

    def seconds(self, way: str) -> float:
        return statistics.median(one.seconds for one in self.ways[way])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--major", type=int)
    parser.add_argument("--only", default="", help="verbs whose name holds this")
    asked = parser.parse_args()
    failed = False
    with scratch(asked.major) as server:
        print(
            f"PostgreSQL {server.major}; longest ACCESS EXCLUSIVE lock in ms, at 0 and {asked.rows:,} rows; shortest of {asked.rounds} rounds"
        )
        print(
            f"{'':38}{'UP 0':>8}{'UP n':>8}{'DOWN 0':>8}{'DOWN n':>8}{'UP s':>8}{'DOWN s':>8}  rows and definitions"
        )
        for verb in (*TABLES, *COLUMNS, *VALUES):
            if asked.only not in verb.name:
                continue
            none, many = (measured(server, verb, rows, asked.rounds) for rows in (0, asked.rows))
            wrong = [*none.wrong, *many.wrong]
            slow = [w for w in ("up", "down") if many.locked(w) - none.locked(w) > BAR]
            failed |= bool(wrong or slow)
            locks = "".join(
                f"{1000 * one.locked(way):8.1f}" for way in ("up", "down") for one in (none, many)
            )
            spent = "".join(f"{many.seconds(way):8.2f}" for way in ("up", "down"))
            verdict = "identical" if not wrong else "; ".join(wrong)
            print(
                f"{verb.name:38}{locks}{spent}  {verdict}{'  LOCKED TOO LONG: ' + ', '.join(slow) if slow else ''}",
                flush=True,
            )
    return int(failed)


def measured(server: Server, verb: Verb, rows: int, rounds: int) -> Result:
    plan = planned(server, verb, rows)
    found = Result()
    with database(server) as url:
        load(url, verb.old)
        load(url, verb.fill.replace("{rows}", str(rows)))
        load(url, "vacuum analyze")
        definitions, hashes = dump(url, APART), hashed(url, verb.rows)
        new_definitions: frozenset[str] | None = None
        new_hashes: list[str] = []
        for number in range(rounds):
            found.ways["up"].append(ran(url, plan.up))
            if new_definitions is None:
                load(url, verb.meanwhile.replace("{rows}", str(rows)))
                new_definitions, new_hashes = dump(url, APART), hashed(url, verb.new_rows)
            said(
                found,
                "up",
                number,
                difference(dump(url, APART), new_definitions),
                hashed(url, verb.new_rows) == new_hashes,
            )
            found.ways["down"].append(ran(url, plan.down))
            said(
                found,
                "down",
                number,
                difference(dump(url, APART), definitions),
                hashed(url, verb.rows) == hashes,
            )
    return found


def said(found: Result, way: str, number: int, differs: str, same: bool) -> None:
    if differs:
        found.wrong.append(f"definitions differ after {way} {number + 1}:{differs[:300]}")
    if not same:
        found.wrong.append(f"rows differ after {way} {number + 1}")


def planned(server: Server, verb: Verb, rows: int, form: Form = "quarantine") -> Plan:
    with shadow(server.url, major=server.major) as scratches:
        before, after = scratches.create(), scratches.create()
        load(before, verb.old)
        load(after, verb.new)
        states = []
        for url in (before, after):
            with connect(url) as session:
                states.append(snapshot.read(session))
        sizes = {ObjectId("table", "public", name): Size(rows) for name in verb.large}
        fills = {ObjectId("enum_value", "public", enum, value): other for enum, value, other in verb.becomes}
        bench = Bench(scratches, before, after, Expected(*states), form=form, sizes=sizes, fills=fills)
        return build(bench, prove=False)[0]


def ran(url: Url, statements: Sequence[Statement]) -> Way:
    with connect(url) as session, watched(url, session.info.backend_pid) as held:
        began = time.perf_counter()
        for step in steps(tuple(statements)):
            run_step(session, step)
        seconds = time.perf_counter() - began
        time.sleep(0.01)
    return Way(seconds, max(held, default=0.0))


@contextmanager
def watched(url: Url, pid: int) -> Iterator[list[float]]:
    """How long each ACCESS EXCLUSIVE lock of that session on a table which is there now was held; complete when the block is left."""
    held: list[float] = []
    stop = threading.Event()
    with connect(url) as side:
        query = (
            "select exists (select from pg_catalog.pg_locks where pid = %s and granted and mode = 'AccessExclusiveLock'"
            " and relation = any(%s))"
        )
        there = [
            row[0]
            for row in side.execute(
                "select oid from pg_catalog.pg_class where relkind in ('r', 'p', 'm') and oid >= 16384"
                " and relnamespace::regnamespace::text !~ '^pg_' and relname <> 'kept'"
            ).fetchall()
        ]

        def look() -> None:
            free, seen = time.perf_counter(), False
            while not stop.is_set():
                row = side.execute(query, (pid, there)).fetchone()
                now = time.perf_counter()
                if row and row[0]:
                    seen = True
                    continue
                if seen:
                    held.append(now - free)
                free, seen = now, False

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield held
        finally:
            stop.set()
            thread.join()


def hashed(url: Url, queries: Iterable[str]) -> list[str]:
    """The rows of each query in any order, as their number and the sum of their hashes."""
    found = []
    with connect(url) as session:
        for query in queries:
            row = session.execute(
                f"select count(*), coalesce(sum(pg_catalog.hashtextextended(t::text, 0)::numeric), 0) from ({query}) as t".encode()
            ).fetchone()
            found.append(str(row))
    return found


def load(url: Url, text: str) -> None:
    with connect(url) as session:
        session.execute(text.encode())


@contextmanager
def database(server: Server) -> Iterator[Url]:
    name = "quarantine_benchmark"
    with connect(server.url) as admin:
        admin.execute(f"drop database if exists {ident(name)} with (force)".encode())
        admin.execute(f"create database {ident(name)} template template0".encode())
        yield server.url.with_database(name)
        admin.execute(f"drop database {ident(name)} with (force)".encode())


if __name__ == "__main__":
    sys.exit(main())
