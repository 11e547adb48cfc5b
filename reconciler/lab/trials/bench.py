"""A session in which triggers are fired and everything is rolled back: what a statement came to, wrote and made others write.

Needs a superuser in a copy of a world. Which trigger function ran is known from PostgreSQL's counters of function calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from reconciler.declare import TriggerDesign
from reconciler.lab import material, triggers
from reconciler.lab.invariants import Invariants
from reconciler.lab.material import Material, begins, prepared
from reconciler.lab.triggers import Trigger
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.shadow import footprint
from reconciler.shadow.footprint import Touched, Watch
from reconciler.shadow.tenants.values import Identity, World

Connection = psycopg.Connection[TupleRow]
Verdict = Literal["failed", "warning", "undecided", "passed"]
_CALLS = "select coalesce(pg_catalog.pg_stat_get_xact_function_calls(%s::oid), 0)"


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial of one trigger and what came of it."""

    trigger: Trigger
    name: str
    verdict: Verdict
    says: str
    statements: tuple[str, ...] = ()
    found: str = ""


@dataclass(frozen=True, slots=True)
class Came:
    """What a statement came to. `touched` by table, `calls` how often the trigger's function ran, `meets` in which table, as SQL, a key
    was there already."""

    rows: int = 0
    sqlstate: str = ""
    message: str = ""
    touched: Mapping[ObjectId, Touched] = field(default_factory=dict)
    calls: int = 0
    meets: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.sqlstate)

    def wrote(self, table: ObjectId) -> int:
        one = self.touched.get(table)
        return one.inserted + one.updated + one.deleted if one else 0

    @property
    def written(self) -> tuple[ObjectId, ...]:
        return tuple(sorted(id for id, one in self.touched.items() if one.written))


@dataclass(frozen=True, slots=True)
class Firing:
    """A statement that fires a trigger, run by `identity`; `given` is taken away first."""

    trigger: Trigger
    event: str
    sql: str
    given: tuple[str, ...]
    identity: Identity
    came: Came

    @property
    def others(self) -> tuple[ObjectId, ...]:
        """The tables that are written beside the trigger's own."""
        return tuple(id for id in self.came.written if id != self.trigger.table and id.kind == "table")


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything a trial needs. `bulk` is how many rows are inserted by one statement."""

    url: Url
    connection: Connection
    material: Material
    watch: Watch
    triggers: tuple[Trigger, ...]
    invariants: Invariants
    designs: Mapping[ObjectId, TriggerDesign]
    bulk: int

    def beside(self, firing: Firing) -> list[Trigger]:
        """The triggers that the statement may fire: those of its table and event."""
        table = firing.trigger.relation
        return [one for one in self.triggers if one.relation == table and firing.event in one.events]

    @contextmanager
    def undone(self, given: Sequence[str] = (), *, level: str = "read committed") -> Iterator[None]:
        """A transaction that is rolled back, with what is given taken away."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(f"set transaction isolation level {level}".encode())
            self.connection.execute("select pg_catalog.pg_current_xact_id()")
            prepared(self.connection, given)
            yield

    def run(self, identity: Identity, sql: str, trigger: Trigger | None = None) -> Came:
        """A statement with everything that is deferred, in a savepoint that is kept when it succeeds. For use in `undone`."""
        connection = self.connection
        calls = self._calls(trigger)
        rows = 0
        try:
            with footprint.touching(connection, self.watch) as seen, connection.transaction():
                for first in begins(identity):
                    connection.execute(first.encode())
                rows = connection.execute(sql.encode()).rowcount
                connection.execute("set constraints all immediate")
                connection.execute("set constraints all deferred")
                connection.execute("reset role")
        except psycopg.Error as error:
            said = (error.diag.message_primary or str(error)).strip()
            return Came(
                0, error.sqlstate or "XX000", said, {}, self._calls(trigger) - calls, material.met(error)
            )
        touched = {one.relation: one for one in seen}
        return Came(rows, touched=touched, calls=self._calls(trigger) - calls)

    def _calls(self, trigger: Trigger | None) -> int:
        if trigger is None:
            return 0
        row = self.connection.execute(_CALLS, (trigger.routine,)).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def open_bench(
    url: Url,
    world: World,
    invariants: Mapping[str, str],
    designs: Sequence[TriggerDesign],
    bulk: int = 10_000,
) -> Iterator[Bench]:
    """`url` is a copy of the world's database that nobody else uses."""
    with connect(url, application_name="reconciler lab") as connection:
        connection.execute("set track_functions to 'all'")
        connection.execute("set statement_timeout to '60s'")
        connection.execute("set max_stack_depth to '600kB'")  # what has no end should end soon
        yield Bench(
            url,
            connection,
            material.read(connection, world),
            footprint.watch(connection),
            triggers.read(connection),
            Invariants(invariants),
            {design.trigger: design for design in designs},
            bulk,
        )
