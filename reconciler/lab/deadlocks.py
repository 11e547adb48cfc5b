"""A deadlock in words: who holds what, who waits for what, and in which order each came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.values import Deadlock, Step

# A row lock shows as the lock on the other transaction, and as a lock on the tuple only while one queues for it
# (manual: pg_locks); the row's table is the one whose tuple is waited for, else the last one that was about to be written; of a partition the table it is one of.
_LOCKS = """
select w.pid, w.locktype, w.mode,
       (select pg_catalog.format('%%I.%%I', n.nspname, c.relname) from pg_catalog.pg_locks as t
          join pg_catalog.pg_class as c on c.oid = coalesce(pg_catalog.pg_partition_root(t.relation), t.relation)
          join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
         where t.pid = w.pid and (t.locktype = 'tuple' or not t.granted and t.locktype = 'relation') limit 1),
       pg_catalog.pg_blocking_pids(w.pid)
  from pg_catalog.pg_locks as w where not w.granted and w.pid = any(%s) order by 1
"""


def explained(
    control: psycopg.Connection[TupleRow], pids: Mapping[int, int], steps: Sequence[Step]
) -> Deadlock:
    """`pids` are the sessions that wait, with their numbers; `steps` what has happened."""
    said = []
    for pid, kind, mode, table, blockers in control.execute(_LOCKS, (list(pids),)).fetchall():
        what = (
            f"a row of {table}" if kind in ("transactionid", "tuple") and table else table or f"a {kind} lock"
        )
        others = (
            ", ".join(sorted(f"transaction {pids[one] + 1}" for one in blockers if one in pids)) or "another"
        )
        said.append(f"transaction {pids[pid] + 1} waits for {what} ({mode}), which {others} holds")
    for number in sorted(set(pids.values())):
        written = [step.began for step in steps if step.actor == number]
        if written:
            said.append(f"transaction {number + 1} came by: {', then '.join(dict.fromkeys(written))}")
    return Deadlock(tuple(said))
