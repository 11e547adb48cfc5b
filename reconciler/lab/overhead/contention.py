"""Several sessions write at once, each its own rows: how many statements a second get through, and who waits for whom.

A trigger that every row makes update the same row (a counter, a balance) lets one writer in at a time, however cheap it is alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.overhead.measure import Bench
from reconciler.lab.overhead.statements import Statements
from reconciler.lab.overhead.values import Contention
from reconciler.pg import Url, connect

Connection = psycopg.Connection[TupleRow]
_LOOK = 0.02


def contended(
    database: Url, bench: Bench, statements: Statements, *, sessions: int, seconds: float
) -> Contention:
    """Each transaction writes one row, holds what it has locked for a moment, as one that does more would, and is rolled back."""
    rates, seen = [], (0, 0)
    try:
        for on in (False, True):
            bench.session.execute(bench.switched(on))
            rate, waits, looks = _run(database, statements, sessions, seconds)
            rates.append(rate)
            seen = (waits, looks)
    finally:
        bench.session.execute(bench.switched(True))
    return Contention(sessions, rates[0], rates[1], *seen)


def _run(database: Url, statements: Statements, count: int, seconds: float) -> tuple[float, int, int]:
    done = [0] * count
    troubles: list[psycopg.Error] = []
    open_sessions = [connect(database, autocommit=False) for _ in range(count)]
    end = time.monotonic() + seconds

    def write(number: int, session: Connection, rows: Sequence[Sequence[str | None]]) -> None:
        try:
            while time.monotonic() < end:
                session.execute(statements.single.encode(), rows[done[number] % len(rows)], prepare=True)
                time.sleep(0.001)
                session.rollback()
                done[number] += 1
        except psycopg.Error as error:
            troubles.append(error)

    share = len(statements.rows) // count
    threads = [
        threading.Thread(target=write, args=(n, session, statements.rows[n * share : (n + 1) * share]))
        for n, session in enumerate(open_sessions)
    ]
    waits = looks = 0
    try:
        for thread in threads:
            thread.start()
        with connect(database) as side:
            while time.monotonic() < end:
                row = side.execute(
                    "select count(*) from pg_catalog.pg_locks as l where not l.granted and l.pid = any(%s)",
                    ([session.info.backend_pid for session in open_sessions],),
                ).fetchone()
                looks, waits = looks + 1, waits + int(row[0] if row else 0)
                time.sleep(_LOOK)
    finally:
        for thread in threads:
            thread.join()
        for session in open_sessions:
            session.close()
    if troubles:
        raise troubles[0]
    return sum(done) / seconds, waits, looks
