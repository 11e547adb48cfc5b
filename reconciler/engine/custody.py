"""Who may end what is kept: one session beside which nothing is applied, and a last look from which on nobody else has a say.

Promises that whatever is decided about something kept is decided on what the registry says under locks, not on what was read
before. Changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import quarantine
from reconciler.migrate import applier
from reconciler.model import Quarantined
from reconciler.pg import connect, ident, pooling
from reconciler.run import Pace
from reconciler.run.trouble import LOCK_NOT_AVAILABLE, passes_by_itself
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why something that is kept stays as it is. `passes` says whether it may be gone the next time, with nobody acting."""

    reason: str
    passes: bool = False
    key: str = ""
    """The foreign key that is in the way, and may be out of it when rows of another table are gone."""


_MEANWHILE = Obstacle("it was brought back, purged or kept anew meanwhile", passes=True)


class Refused(Exception):
    """Raised inside a transaction so that it is undone."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.reason)
        self.obstacle = obstacle


def of_postgres(error: psycopg.Error) -> Obstacle:
    """What PostgreSQL did not do, for a person."""
    said = (error.diag.message_primary or str(error)).strip()
    if error.sqlstate == LOCK_NOT_AVAILABLE:
        said = f"somebody else is using it ({said})"
    by_key = isinstance(error, psycopg.errors.ForeignKeyViolation | psycopg.errors.RestrictViolation)
    return Obstacle(said, passes_by_itself(error), (error.diag.constraint_name or "") if by_key else "")


def several(number: int) -> str:
    """So many rows, as a sentence says it."""
    return f"{number:,} {'row' if number == 1 else 'rows'}"


@contextmanager
def custody(database: Database, wait: float) -> Iterator[Connection]:
    """The one session that may change the database: no apply, rollback or purge runs beside it.

    Raises Waiting, naming who is at work, after `wait` seconds; Stalled behind a pooler that shares sessions.
    """
    with applier(_session(database), wait=wait, pace=Pace()) as live:
        yield live


def _session(database: Database) -> Callable[[], Connection]:
    return lambda: connect(database.target(), application_name="reconciler purge")


@contextmanager
def bounded(live: Connection, database: Database) -> Iterator[None]:
    """A transaction that gives up when somebody else has a lock for longer than an apply would wait."""
    with live.transaction():
        # A look after a lock has to see what was committed while that was waited for, whatever this role's default is.
        live.execute("set transaction isolation level read committed")
        pooling.require(live)
        live.execute("select pg_catalog.set_config('lock_timeout', %s, true)", (str(database.lock_timeout),))
        yield


def settled(live: Connection, ones: Iterable[Quarantined]) -> tuple[Quarantined, ...]:
    """All that is kept in the same thing as these, as it is now and stays until this transaction ends.

    `ones` share what they are kept in, and were read before. If that is a table, nobody else reads or writes it from now on.
    Raises Refused when it is held, or when one of them is no longer kept, or not as it was.
    """
    known = tuple(ones)
    (kept_as,) = {one.kept_as for one in known}
    if _is_table(live, kept_as):
        # First the table, then its rows in the registry: the order of a migration that brings it back.
        name = ident(quarantine.SCHEMA, kept_as)
        try:
            live.execute(f"lock table only {name} in access exclusive mode".encode())
        except psycopg.errors.UndefinedTable:
            raise Refused(_MEANWHILE) from None
    rows = quarantine.locked(live, quarantine.above(live, kept_as))
    there = {(row.number, row.id, row.kept_as, row.kept_at) for row in rows}
    if not there.issuperset((one.number, one.id, one.kept_as, one.kept_at) for one in known):
        raise Refused(_MEANWHILE)
    held = next((row.held for row in rows if row.held), "")
    if held:
        raise Refused(Obstacle(f"held: {held}"))
    return tuple(row for row in rows if row.kept_as == kept_as)


def _is_table(live: Connection, name: str) -> bool:
    row = live.execute(
        "select exists (select from pg_catalog.pg_class as c where c.relkind in ('r', 'p') and c.relname = %s"
        " and c.relnamespace = pg_catalog.to_regnamespace(%s))",
        (name, quarantine.SCHEMA),
    ).fetchone()
    return bool(row and row[0])
