"""Which of several processes may change a database: an advisory lock says who leads, a counter fences off who led before.

The lock belongs to a session that stays open; the server ends that session when nothing was heard of it for a lease, and the lock
goes to another process. A process that was frozen meanwhile does not know that: so each apply transaction holds the counter of
its term (FOR SHARE), and whoever leads next counts on first, which waits for such a transaction to end. Promises that no
transaction of an earlier term commits after a later one has begun.
"""

from __future__ import annotations

import psycopg

from reconciler.errors import Waiting
from reconciler.migrate.history import CLASS, Connection, ensure, permitted, there

_LEADING = 0x6C656164
"""Second key of the advisory lock ("lead")."""


def lead(connection: Connection) -> bool:
    """Takes the lock for this session if nobody has it."""
    row = connection.execute("select pg_catalog.pg_try_advisory_lock(%s, %s)", (CLASS, _LEADING)).fetchone()
    return bool(row and row[0])


def begin_term(connection: Connection, holder: str) -> int:
    """Counts on, in the session that holds the lock, and returns the number of the new term. `holder` says who at which machine.

    Raises Waiting while a transaction of the term before is not over, Stalled without the right to keep a history.
    """
    ensure(connection)
    with permitted(connection):
        row = connection.execute(
            "insert into reconciler.leader as l (epoch, holder) values (1, %s)"
            " on conflict (one) do update set epoch = l.epoch + 1, holder = excluded.holder, since = pg_catalog.clock_timestamp()"
            " returning epoch",
            (holder,),
        ).fetchone()
    assert row is not None
    return int(row[0])


def leader(connection: Connection) -> str:
    """Who leads now, or led last, as they said it; empty where nobody ever did or this role may not see it."""
    if not there(connection, "leader"):
        return ""
    try:
        row = connection.execute("select holder from reconciler.leader where one").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return ""
    return str(row[0]) if row else ""


def still_leads(connection: Connection, epoch: int) -> None:
    """In a transaction that applies: nobody counts on until it has ended. Raises Waiting when somebody has already."""
    row = connection.execute("select epoch, holder from reconciler.leader where one for share").fetchone()
    if row is None or row[0] != epoch:
        who = row[1] if row else "nobody"
        raise Waiting(f"another process leads now: {who}", hint="it goes on from what stands")
