"""Writers beside a migration: they insert, update and delete rows of their own, and remember what was acknowledged.

A row whose COMMIT was answered must be there as it was written last, and a deleted one must not come back; where the answer got
lost, either is right. Nothing of a row is asked that its table no longer has.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from reconciler.errors import ReconcilerError
from reconciler.pg import Url, connect

FIRST = 1_000_001
"""Numbers of the writers' rows begin here; the rows of the migration itself are below."""
PAUSE = 0.008


@dataclass(frozen=True)
class Write:
    """Where a writer writes: a table with a key column `id`, and a column for its values. `also` fills further columns.
    `later` is where, once the first is not there; after the direction `hidden` its rows are kept out of sight.
    """

    table: str
    column: str = "note"
    also: tuple[tuple[str, str], ...] = ()
    later: Write | None = None
    hidden: str = ""

    def places(self) -> tuple[Write, ...]:
        return (self, *(self.later.places() if self.later else ()))

    def insert(self, number: int, value: str) -> str:
        more = "".join(f", {name}" for name, _ in self.also)
        values = "".join(f", {text.format(n=number)}" for _, text in self.also)
        return f"insert into {self.table} (id, {self.column}{more}) values ({number}, '{value}'{values})"


@dataclass
class Row:
    """`acknowledged` is the last value whose commit was answered (None: not there); `maybe` what came after it."""

    acknowledged: str | None = None
    maybe: list[str | None] = field(default_factory=list)


class Writer:
    """One session that writes, made anew when it is lost."""

    def __init__(self, url: Url, write: Write, seed: str) -> None:
        self.write = write
        self.rows: dict[int, Row] = {}
        self.acknowledged = 0
        self._url, self._chance = url, random.Random(seed)
        self._next = FIRST
        self._going, self._stop, self._quiet = threading.Event(), threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def start(self) -> None:
        self._going.set()

    def pause(self) -> None:
        """Returns when nothing is under way any more."""
        self._going.clear()
        with self._quiet:
            pass

    def close(self) -> None:
        self._stop.set()
        self._going.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, application_name="writer") as session:
                    while not self._stop.is_set():
                        self._going.wait()
                        with self._quiet:
                            if self._going.is_set() and not self._stop.is_set():
                                self._one(session)
                        self._stop.wait(PAUSE * self._chance.random() * 2)
            except (psycopg.OperationalError, psycopg.InterfaceError, ReconcilerError):
                self._stop.wait(0.03)

    def _one(self, session: psycopg.Connection) -> None:
        known = [number for number in list(self.rows)[-30:] if self.rows[number].acknowledged is not None]
        chance = self._chance.random()
        value: str | None = str(self._chance.randrange(100_000))
        if known and chance < 0.5:
            number = self._chance.choice(known)
            value = value if chance < 0.35 else None
            sqls = [
                f"update {place.table} set {place.column} = '{value}' where id = {number}"
                if value is not None
                else f"delete from {place.table} where id = {number}"
                for place in self.write.places()
            ]
        else:
            number, self._next = self._next, self._next + 1
            assert value is not None
            sqls = [place.insert(number, value) for place in self.write.places()]
        row = self.rows.setdefault(number, Row())
        row.maybe.append(value)
        for sql in sqls:
            try:
                done = session.execute(sql.encode(), prepare=False)
            except psycopg.errors.UndefinedTable:
                continue
            except psycopg.OperationalError as error:
                if error.sqlstate and not error.sqlstate.startswith(("57P", "08")):
                    row.maybe.remove(value)  # refused, say, for a lock: nothing of it can be there
                    return
                raise  # the answer is lost: maybe it is there
            except psycopg.Error:
                continue
            if done.rowcount == 1:
                row.acknowledged, row.maybe = value, []
                self.acknowledged += 1
                return
        row.maybe.remove(value)

    def lost(self, direction: str, read: Callable[[str], Sequence[tuple[object, ...]]]) -> list[str]:
        """What is not as acknowledged at the end of a direction; empty where the table is not there then."""
        if direction == self.write.hidden:
            return []
        for place in self.write.places():
            try:
                found = {
                    int(str(key)): str(value)
                    for key, value in read(
                        f"select id, {place.column}::text from {place.table} where id >= {FIRST}"
                    )
                }
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                continue
            return [
                f"{place.table} {number}: acknowledged {row.acknowledged}, found {found.get(number)}"
                for number, row in self.rows.items()
                if found.get(number) not in (row.acknowledged, *row.maybe)
            ] + [f"{place.table} {number}: nobody wrote it" for number in found if number not in self.rows]
        return []


@contextmanager
def writing(url: Url, writes: Sequence[Write], seed: str) -> Iterator[tuple[Writer, ...]]:
    writers = tuple(Writer(url, write, f"{seed} {number}") for number, write in enumerate(writes))
    try:
        yield writers
    finally:
        for writer in writers:
            writer.close()
