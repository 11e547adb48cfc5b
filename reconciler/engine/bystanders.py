"""Who else is at work on the database, and would make a plan wait: old transactions, prepared ones, and slots that hold WAL back.

Named by pid, user, application and start, never by query text. Reads; ends nobody's session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from reconciler.errors import Waiting
from reconciler.model import LockTaken, Statement
from reconciler.pg import Url, connect
from reconciler.run import Pace

Connection = psycopg.Connection[Any]

OLD = 5.0
"""Seconds after which a transaction counts as old: shorter ones are waited for by the lock timeout's retries."""
_WAITS_FOR_ALL = re.compile(
    r"\b(create\s+(unique\s+)?index|drop\s+index|reindex\b.*?|detach\s+partition\b.*?)\s+concurrently\b|\bdetach\s+partition\s.*\bconcurrently\b",
    re.IGNORECASE | re.DOTALL,
)

# A lock of the same table, held by somebody else in a mode that conflicts with what the plan will ask for (manual, table 13.2:
# the stronger of two modes that conflict is at least SHARE UPDATE EXCLUSIVE). `asked` is [[schema.name, mode], …].
_HOLDING = """
select l.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       pg_catalog.to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
       pg_catalog.string_agg(distinct q.name, ', ' order by q.name), p.gid,
       pg_catalog.to_char(p.prepared at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), coalesce(p.owner::text, '')
  from pg_catalog.pg_locks as l
  join unnest(%(names)s::text[], %(modes)s::text[]) as q(name, modes)
    on l.relation = pg_catalog.to_regclass(q.name)::oid
  left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
  left join pg_catalog.pg_locks as own on l.pid is null and own.pid is null and own.locktype = 'transactionid'
        and own.virtualtransaction = l.virtualtransaction
  left join pg_catalog.pg_prepared_xacts as p on p.transaction = own.transactionid and p.database = pg_catalog.current_database()
 where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()
   and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database())
   and l.mode = any(pg_catalog.string_to_array(q.modes, ','))
   -- Autovacuum gives way to whoever waits for it, unless it prevents wraparound (manual: 25.1.6, The Autovacuum Daemon).
   and (a.backend_type is distinct from 'autovacuum worker' or a.query like '%%to prevent wraparound%%')
   and coalesce(a.xact_start, p.prepared) < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(old)s)
 group by 1, 2, 3, 4, 5, 7, 8, 9
 order by coalesce(pg_catalog.min(a.xact_start), pg_catalog.min(p.prepared)) nulls last
"""
_OPEN = """
select a.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       pg_catalog.to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ''::text, null::text, null::text, ''::text
  from pg_catalog.pg_stat_activity as a
 where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid()
   and (a.backend_xmin is not null or a.backend_xid is not null)
   and a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(old)s)
union all
select 0, '', '', '', null, '', p.gid, pg_catalog.to_char(p.prepared at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), p.owner::text
  from pg_catalog.pg_prepared_xacts as p
 where p.database = pg_catalog.current_database()
   and p.prepared < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(old)s)
 order by 5 nulls last
"""
_SLOTS = """
select s.slot_name::text, pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))
  from pg_catalog.pg_replication_slots as s
 where not s.active and s.restart_lsn is not null and not pg_catalog.pg_is_in_recovery()
 order by 1
"""

STRENGTH = (
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock",
    "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip
HINDERS: Mapping[str, frozenset[str]] = {
    "AccessShareLock": frozenset(STRENGTH[7:]),
    "RowShareLock": frozenset(STRENGTH[6:]),
    "RowExclusiveLock": frozenset(STRENGTH[4:]),
    "ShareUpdateExclusiveLock": frozenset(STRENGTH[3:]),
    "ShareLock": frozenset({*STRENGTH[2:4], *STRENGTH[5:]}),
    "ShareRowExclusiveLock": frozenset(STRENGTH[2:]),
    "ExclusiveLock": frozenset(STRENGTH[1:]),
    "AccessExclusiveLock": frozenset(STRENGTH),
}
"""Asked for → the modes that, held by another, make it wait (manual, "Table-Level Locks", conflicting lock modes)."""


@dataclass(frozen=True, slots=True)
class Bystander:
    """A transaction that is open for long. `tables` are those it holds that the plan needs; `gid` names a prepared one."""

    pid: int
    user: str
    application: str
    state: str
    since: str
    tables: str = ""
    gid: str = ""

    def __str__(self) -> str:
        holds = f" and holds {self.tables}" if self.tables else ""
        if self.gid:
            return f"prepared transaction {self.gid!r} of {self.user or 'somebody'} is open since {self.since}{holds}"
        told = ", ".join(
            part for part in (
                f"user {self.user}" if self.user else "", f'application "{self.application}"' if self.application else "", self.state,
            ) if part
        )  # fmt: skip
        return (
            f"pid {self.pid}{f' ({told})' if told else ''} has a transaction open since {self.since}{holds}"
        )


def wait_for_room(
    url: Url,
    locks: Iterable[LockTaken],
    *,
    pace: Pace,
    on_wait: Callable[[str], None] = lambda note: None,
    old: float | None = None,
) -> None:
    """Waits while an old transaction holds what the plan will lock. Raises Waiting, naming everyone, when that takes too long: the
    plan itself would make others queue behind it all that time."""
    asked = _strongest(locks)
    if not asked:
        return
    pauses = pace.pauses()
    with connect(url, application_name="reconciler preflight") as live:
        while found := holding(live, asked, old=old):
            who = "; ".join(map(str, found))
            pause = next(pauses, None)
            if pause is None:
                ends = " ".join(
                    f"select pg_catalog.pg_terminate_backend({one.pid});" for one in found if not one.gid
                )
                ends += "".join(
                    f" commit or roll back prepared transaction {one.gid!r}" for one in found if one.gid
                )
                raise Waiting(
                    f"an old transaction is in the way: {who}; nothing was begun",
                    hint=f"let it end and run the same command again, or end it: {ends.strip()}",
                )
            on_wait(f"waiting for {who}")
            pace.sleep(pause)


def holding(live: Connection, asked: Mapping[str, str], *, old: float | None = None) -> tuple[Bystander, ...]:
    """Old transactions that hold one of these tables so that the mode asked for would wait."""
    values = {
        "names": list(asked),
        "modes": [",".join(sorted(HINDERS[mode])) for mode in asked.values()],
        "old": OLD if old is None else old,
    }
    return tuple(_bystander(row) for row in live.execute(_HOLDING, values).fetchall())


def remarks(
    url: Url, statements: Iterable[Statement], *, rewrites: bool, old: float | None = None
) -> tuple[str, ...]:
    """What will make a concurrent statement wait, and what will keep the WAL that rewriting makes."""
    waits = any(_WAITS_FOR_ALL.search(statement.sql) for statement in statements)
    if not waits and not rewrites:
        return ()
    found: list[str] = []
    with connect(url, application_name="reconciler preflight") as live:
        if waits:
            for row in live.execute(_OPEN, {"old": OLD if old is None else old}).fetchall():
                found.append(f"a concurrent statement will wait for it to end: {_bystander(row)}")
        if rewrites:
            for name, behind in live.execute(_SLOTS).fetchall():
                found.append(
                    f"replication slot {name} is not read and keeps WAL ({behind} now): what is written anew adds to it"
                )
    return tuple(found)


def _bystander(row: tuple[Any, ...]) -> Bystander:
    pid, user, application, state, since, tables, gid, prepared, owner = row
    if gid is not None:
        return Bystander(0, owner, "", "", prepared or "", tables, gid)
    return Bystander(pid or 0, user, application, state, since or "", tables)


def _strongest(locks: Iterable[LockTaken]) -> dict[str, str]:
    found: dict[str, str] = {}
    for lock in locks:
        if lock.mode in STRENGTH[3:] and STRENGTH.index(
            found.get(lock.relation, STRENGTH[0])
        ) <= STRENGTH.index(lock.mode):
            found[lock.relation] = lock.mode
    return found
