"""Rounds of a statement with the trigger, without it, and without it again, in drawn order, until the verdict is clear or time is up.

Everything happens in transactions that are rolled back. In one round the three are neighbours in time, so what the machine does
meanwhile is the same for all of them as nearly as can be; the pair without the trigger says how nearly.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.lab.overhead.clock import Read, timing
from reconciler.lab.overhead.judge import FEWEST, estimate, verdict
from reconciler.lab.overhead.statements import Statements
from reconciler.lab.overhead.stock import Stock
from reconciler.lab.overhead.values import Clock, Size, Spread, Timed
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]
_WARM = 8
_TIDY = 15
"""Rounds after which dead rows are cleared away."""


@dataclass(slots=True)
class Bench:
    """One trigger of one table. `tables` are those that it may write, to be tidied."""

    session: Connection
    stock: Stock
    trigger: str
    clock: Clock
    read: Read
    tables: tuple[str, ...]
    chance: random.Random
    _since: int = field(default=0)

    def switched(self, on: bool) -> str:
        """SQL that leaves this trigger alone on its table, or none: the others would make it look cheaper. Foreign keys stay."""
        table = f"alter table {self.stock.sql}"
        off = f"{table} disable trigger user"
        return f"{off}; {table} enable trigger {ident(self.trigger)}" if on else off

    def once(
        self, statements: Statements, rows: int, size: Size, *, on: bool, each: list[int] | None = None
    ) -> tuple[int, int]:
        """Nanoseconds and bytes of WAL of these rows. `each` gets what every statement took as time passes, in nanoseconds."""
        self.session.execute("begin")
        try:
            self.session.execute(self.switched(on))
            if size == "single row":
                self._singly(statements, statements.rows[:_WARM], [])
                before = self._wal()
                with timing(self.read) as found:
                    self._singly(
                        statements, statements.rows[_WARM : _WARM + rows], [] if each is None else each
                    )
            else:
                before = self._wal()
                began = time.perf_counter_ns()
                with timing(self.read) as found:
                    self.session.execute(statements.bulk.encode(), (rows,))
                if each is not None:
                    each.append(time.perf_counter_ns() - began)
            return found[0], self._wal() - before
        finally:
            self.session.execute("rollback")

    def timed(
        self, statements: Statements, size: Size, budget: float, *, seconds: float, most: int = 10_000
    ) -> Timed:
        """Until the verdict is clear, and for no longer than `seconds`."""
        available = self.stock.rows if statements.event == "INSERT" else self.stock.staying
        rows = len(statements.rows) - _WARM if size == "single row" else min(most, available)
        if rows < 1:
            raise Stalled(f"{self.stock.table} holds {available} rows only, too few to be timed")
        times: dict[str, list[int]] = {"off": [], "on": [], "again": []}
        seen: dict[bool, list[int]] = {False: [], True: []}
        wal: list[int] = []
        deadline = time.monotonic() + seconds
        while True:
            written = {}
            for arm in self.chance.sample(tuple(times), 3):
                took, written[arm] = self.once(statements, rows, size, on=arm == "on", each=seen[arm == "on"])
                times[arm].append(took)
            wal.append(written["on"] - written["off"])
            self._tidied()
            over, rounds = time.monotonic() > deadline, len(wal)
            if not over and (rounds < FEWEST or rounds % 4):
                continue
            without = [(a + b) / 2 for a, b in zip(times["off"], times["again"], strict=True)]
            found = estimate(
                [b / a - 1 for a, b in zip(without, times["on"], strict=True)],
                [b / a - 1 for a, b in zip(times["off"], times["again"], strict=True)],
                self.chance,
            )
            said = verdict(found, budget)
            if over or said != "INCONCLUSIVE":
                break
        each = 1000 * rows
        return Timed(
            size, rows, self.clock, statistics.median(without) / each, statistics.median(times["on"]) / each, found, said,
            budget, max(statistics.median(wal), 0) / rows, Spread(_percentiles(seen[False]), _percentiles(seen[True])),
        )  # fmt: skip

    def added(self, statements: Statements, rows: int, rounds: int) -> float:
        """Microseconds per row that the trigger adds to one statement of so many rows."""
        found = []
        for _ in range(rounds):
            off = self.once(statements, rows, "bulk", on=False)[0]
            found.append(self.once(statements, rows, "bulk", on=True)[0] - off)
            self._tidied()
        return statistics.median(found) / 1000 / rows

    def _singly(self, statements: Statements, rows: Sequence[Sequence[str | None]], each: list[int]) -> None:
        query = statements.single.encode()
        with self.session.cursor() as cursor:
            for row in rows:
                began = time.perf_counter_ns()
                cursor.execute(query, row, prepare=True)
                each.append(time.perf_counter_ns() - began)

    def _wal(self) -> int:
        row = self.session.execute(
            "select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _tidied(self) -> None:
        self._since += 1
        if self._since % _TIDY == 0:
            for table in (self.stock.sql, *self.tables):
                self.session.execute(f"vacuum {table}")


def _percentiles(nanoseconds: Sequence[int]) -> tuple[float, ...]:
    """From the 0th to the 100th, in microseconds."""
    found = sorted(nanoseconds)
    last = len(found) - 1
    return tuple(round(found[round(last * percent / 100)] / 1000, 1) for percent in range(101))
