"""What a statement outside transactions does to the relations around it, watched from other sessions.

Its locks are gone before it returns, so that somebody has to look while it runs, and stand in its way so that there is something to
see (`gate`). Promises, on the tables that the statement names, its first lock from ROW EXCLUSIVE upwards and any ACCESS EXCLUSIVE, and
what the manual says it takes; other locks when they last longer than a look, about a millisecond. A lock that was asked for counts
before it is given, because whoever comes after it waits. Rewrites and scans are what the server counted before and after. For scratch
databases: the seconds contain the moments in which the statement was held up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import ReconcilerError
from reconciler.model import Measured
from reconciler.pg import pooling
from reconciler.run.gate import MOST, Gate, spoken_of
from reconciler.run.locks import DDL, STRENGTH, WRITING, Touched, strongest, taken
from reconciler.run.nature import concurrent_build, concurrent_detach

Connection = psycopg.Connection[TupleRow]

_EAGER = 1_000
"""Looks without a pause, then one every millisecond."""
_PAUSE = 0.001
_ALL = STRENGTH.index("AccessExclusiveLock")
_LONGEST = 2.0
"""Seconds after which nothing stands in the way any more, whatever the looks say."""

_LOOK = """
select l.relation::int8, l.mode, l.granted
  from pg_catalog.pg_locks l
 where l.pid = %s and (l.locktype = 'relation' or not l.granted)
   and coalesce(l.database, 0) in (0, (select d.oid from pg_catalog.pg_database d
                                        where d.datname = pg_catalog.current_database()))
"""

_RELATIONS = """
select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, i.indrelid::int8, c.relfilenode::int8,
       case when c.relkind in ('r', 'm') then
         pg_catalog.pg_stat_get_tuples_returned(c.oid) + pg_catalog.pg_stat_get_xact_tuples_returned(c.oid) end
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
 where c.relkind in ('r', 'p', 'm', 'v', 'f', 'S', 'i', 'I')
   and c.relpersistence <> 't'
   and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
 order by c.oid
"""


@dataclass(frozen=True, slots=True)
class _Relation:
    schema: str
    name: str
    kind: str
    table: int | None
    file: int
    returned: int | None


@dataclass(slots=True)
class Seen:
    """What was there before, and what the looks saw since: OID → strongest mode, as an index of STRENGTH."""

    before: Mapping[int, _Relation]
    known: Mapping[int, int]
    modes: dict[int, int] = field(default_factory=dict)

    def measured(self, connection: Connection, seconds: float) -> Measured:
        """After the statement. An index that is gone by now was nobody's when its last lock was taken."""
        after = _relations(connection)
        found = []
        for oid, was in self.before.items():
            now = after.get(oid)
            mode = max(self.modes.get(oid, -1), self.known.get(oid, -1))
            if now is None and was.kind in ("i", "I"):
                continue
            rewritten = now is not None and now.file != was.file and was.kind in ("r", "m")
            scanned = now is not None and (now.returned or 0) > (was.returned or 0)
            if mode >= 0 or rewritten or scanned:
                name = f"{was.schema}.{was.name}"
                found.append(Touched(oid, name, was.kind, was.table, mode, -1, rewritten, scanned))
        return Measured(
            taken(found),
            tuple(sorted(one.name for one in found if one.rewritten)),
            tuple(sorted(one.name for one in found if one.scanned)),
            seconds,
        )


@contextmanager
def watching(connection: Connection, sql: str, side: Callable[[], Connection] | None) -> Iterator[Seen]:
    """Looks at the locks of `connection` while the block runs, from sessions that `side` opens.

    Without them only what the manual says of the statement is known.
    """
    before = _relations(connection)
    seen = Seen(before, _known(connection, sql))
    with ExitStack() as sessions:

        def session() -> Connection:
            assert side is not None
            return sessions.enter_context(closing(side()))

        try:
            other = session() if side else None
            held = spoken_of(sql, _tables(before)) if side else {}
            gates = {oid: Gate(session(), table) for oid, table in sorted(held.items())[:MOST]}
        except (ReconcilerError, psycopg.Error):
            other = None  # best effort: the statement does not fail for want of somebody who watches it
        if other is None:
            yield seen
            return
        for gate in gates.values():
            gate.shut(wholly=True)
        done, ready = threading.Event(), threading.Event()
        arguments = (other, pooling.backend(connection), gates, seen.modes, ready, done)
        thread = threading.Thread(target=_look, args=arguments, daemon=True)
        thread.start()
        ready.wait(5)
        try:
            yield seen
        finally:
            done.set()
            thread.join()


def _look(
    other: Connection,
    pid: int,
    gates: Mapping[int, Gate],
    modes: dict[int, int],
    ready: threading.Event,
    done: threading.Event,
) -> None:
    looks, began = 0, time.monotonic()
    try:
        while not done.is_set():
            asked, waits = -1, False
            for oid, mode, granted in other.execute(_LOOK, (pid,), prepare=True).fetchall():
                waits = waits or not granted
                if oid is not None:
                    modes[oid] = max(modes.get(oid, -1), strongest([mode]))
                    asked = asked if granted else oid
            ready.set()
            _give_way(gates, modes, asked, waits, over=time.monotonic() - began > _LONGEST)
            looks += 1
            if looks > _EAGER:
                time.sleep(_PAUSE)
    except psycopg.Error:
        ready.set()  # the shadow is going down, or the session was cut: what was seen stays
    finally:
        for gate in gates.values():
            gate.session.close()


def _give_way(
    gates: Mapping[int, Gate], modes: Mapping[int, int], asked: int, waits: bool, *, over: bool
) -> None:
    """Opens what the statement waits for: the table `asked`, or, when it waits for a transaction to end, every one."""
    if over or (waits and asked not in gates):
        for gate in gates.values():
            if gate.held:
                gate.open()
    elif waits and modes[asked] >= _ALL:
        gates[asked].open()
    elif waits:
        gates[asked].open_for_writing()
    else:
        for oid, gate in gates.items():
            if not gate.held and modes.get(oid, -1) < _ALL:
                gate.shut(wholly=modes.get(oid, -1) < WRITING)


def _tables(before: Mapping[int, _Relation]) -> Iterator[tuple[int, str, str, str]]:
    """Each table that can be locked by a command, under its own name and under those of its indexes."""
    for oid, relation in before.items():
        table = before.get(relation.table) if relation.table is not None else relation
        if table is not None and table.kind in ("r", "p"):
            yield relation.table or oid, table.schema, table.name, relation.name


def _relations(connection: Connection) -> dict[int, _Relation]:
    """Every relation with its file and how many of its rows were read so far."""
    if connection.info.server_version >= 150000:
        # What this session has counted is reported at the end of this query (manual, "Viewing Statistics").
        connection.execute("select pg_catalog.pg_stat_force_next_flush()")
    return {int(oid): _Relation(*rest) for oid, *rest in connection.execute(_RELATIONS).fetchall()}


def _known(connection: Connection, sql: str) -> dict[int, int]:
    """What the manual says the statement takes, for locks too short to be seen on an empty table.

    CREATE INDEX CONCURRENTLY holds SHARE UPDATE EXCLUSIVE on its table from beginning to end ("Explicit Locking"); DETACH
    PARTITION CONCURRENTLY the same on the parent, and in its second transaction ACCESS EXCLUSIVE on the partition (ALTER TABLE).
    """
    build, detach = concurrent_build(sql), concurrent_detach(sql)
    named = {}
    if build:
        named[build.table] = DDL
    if detach:
        named |= {detach.table: DDL, detach.partition: _ALL}
    found = {}
    for name, mode in named.items():
        row = connection.execute("select pg_catalog.to_regclass(%s)::oid::int8", (name,)).fetchone()
        if row and row[0] is not None:
            found[row[0]] = mode
    return found
