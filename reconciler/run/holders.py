"""Who holds the lock that a statement waits for, looked at from a second session while it waits.

Promises to disturb nothing: one short query every tenth of a second, and only while a statement runs for
longer than that. Best effort: without permission, or without a second connection, it says so and nothing
fails. Never shows the holder's query text, which may hold data.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import ReconcilerError

Connection = psycopg.Connection[TupleRow]

_INTERVAL = 0.1
_EAGER = 100
_LAZY = 1.0

# pg_blocking_pids names sessions in the queue ahead of us too; a prepared transaction shows as pid 0
# (manual, "Session Information Functions").
_LOOK = """
select coalesce(
         (select case
                   when l.relation is not null then coalesce(
                     (select pg_catalog.format('%%I.%%I', n.nspname, c.relname)
                        from pg_catalog.pg_class c
                        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                       where c.oid = l.relation), 'relation ' || l.relation::text)
                   when l.locktype in ('virtualxid', 'transactionid') then 'the end of an older transaction'
                   else l.locktype end
            from pg_catalog.pg_locks l
           where l.pid = %(pid)s and not l.granted
           order by l.waitstart nulls last, l.locktype limit 1), ''),
       b.pid, a.usename::text, a.application_name, a.state,
       pg_catalog.to_char(a.query_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  from (select distinct u.pid from pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s)) as u(pid)) as b
  left join pg_catalog.pg_stat_activity a on a.pid = b.pid
 order by b.pid
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """One session that holds, or is queued ahead of us for, the lock. What may not be seen is empty.

    `since` is the start of its current or last query, ISO 8601 in UTC.
    """

    pid: int
    user: str = ""
    application: str = ""
    state: str = ""
    since: str = ""

    def __str__(self) -> str:
        if self.pid == 0:
            return "a prepared transaction (see pg_prepared_xacts)"
        known = [
            f"user {self.user}" if self.user else "",
            f'application "{self.application}"' if self.application else "",
            self.state,
            f"since {self.since}" if self.since else "",
        ]
        told = ", ".join(part for part in known if part)
        return f"pid {self.pid} ({told})" if told else f"pid {self.pid}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A wait that was seen: on what, and who was in the way."""

    on: str
    holders: tuple[Holder, ...]

    @property
    def sentence(self) -> str:
        return f"{self.on or 'a lock'} is held by " + ", ".join(map(str, self.holders))

    @property
    def remedy(self) -> str:
        pids = [holder.pid for holder in self.holders if holder.pid]
        if not pids:
            return "commit or roll back the prepared transaction; it is tried again by itself"
        calls = " ".join(f"select pg_catalog.pg_terminate_backend({pid});" for pid in pids)
        return f"it is tried again by itself; to end the wait now, let that session finish, or run: {calls}"


def blocked(side: Connection, pid: int) -> Blocked | None:
    """What the backend `pid` waits for at this moment, seen from the autocommit session `side`."""
    rows = side.execute(_LOOK, {"pid": pid}).fetchall()
    if not rows:
        return None
    holders = tuple(Holder(row[1], row[2] or "", row[3] or "", row[4] or "", row[5] or "") for row in rows)
    return Blocked(rows[0][0], holders)


class Lookout:
    """A thread that asks `blocked` about one backend while the block it guards runs.

    `side` opens an autocommit session of its own; without it the lookout sees nothing. `seen` is the last
    wait observed since the last call of `watch()`; `trouble` says why it could not look. How long it waited is as exact as the looks are
    frequent.
    """

    def __init__(self, side: Callable[[], Connection] | None, pid: int) -> None:
        self.seen: Blocked | None = None
        self.trouble = "" if side else "no second session to look from"
        self._side = side
        self._pid = pid
        self._ticks = 0
        self._waited = 0.0
        self._busy = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler-lookout", daemon=True)

    def watch(self) -> None:
        """A statement begins."""
        self.seen, self._ticks, self._busy = None, 0, True

    def rest(self) -> None:
        """The statement has ended; what was seen stays."""
        self._busy = False

    def waited(self) -> float:
        """For how many seconds the backend was seen waiting for others since this was asked last, over all tries."""
        waited, self._waited = self._waited, 0.0
        return waited

    def __enter__(self) -> Lookout:
        if self._side is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._side is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        assert self._side is not None
        try:
            while not self._stop.wait(pause := _INTERVAL if self._ticks < _EAGER else _LAZY):
                if not self._busy:
                    continue
                self._ticks += 1
                connection = connection or self._side()
                found = blocked(connection, self._pid)
                if found is not None and self._busy:
                    self.seen = found
                    self._waited += pause
        except (psycopg.Error, ReconcilerError) as error:
            self.trouble = str(error).splitlines()[0] if str(error) else type(error).__name__
        finally:
            if connection is not None:
                connection.close()
