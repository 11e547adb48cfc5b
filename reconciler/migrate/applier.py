"""The one session that changes a database: its own, alone, and gone soon after its owner is gone.

Promises that two appliers never work at once: the lock and the statements share one session, so that a
statement that outlives its crashed client still holds the lock. Never changes anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg

from reconciler.errors import Waiting
from reconciler.migrate.history import CLASS, Connection
from reconciler.pg import pooling
from reconciler.run import Holder, Pace

_APPLYING = 0x6170706C
"""Second key of the advisory lock ("appl")."""

_HOLDERS = """
select l.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       coalesce(pg_catalog.to_char(a.query_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '')
  from pg_catalog.pg_locks l
  left join pg_catalog.pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'advisory' and l.granted and l.objsubid = 2
   and l.classid::int8 = %s and l.objid::int8 = %s
   and l.database = (select d.oid from pg_catalog.pg_database d
                      where d.datname = pg_catalog.current_database())
 order by l.pid
"""

_SILENCE = (
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
)
"""A client whose machine or network vanished without a word is given up within half a minute: until then its locks stand, and
the systems' own keep-alive waits two hours before it asks.
"""


@contextmanager
def applier(
    connect: Callable[[], Connection], *, wait: float, pace: Pace, silence: str = "0"
) -> Iterator[Connection]:
    """The session, holding the lock until the block ends.

    Waits up to `wait` seconds for another applier. The server ends the session when it was idle for `silence` ("0": never).
    Raises `Waiting` that names it, and `Stalled` behind a pooler that shares sessions between clients: there the lock would
    belong to somebody else after each transaction.
    """
    with connect() as connection:
        require_own(connection, connect)
        _settle(connection, silence)
        _lock(connection, replace(pace, attempts=1_000_000, seconds=wait, first=0.05, longest=0.5))
        try:
            yield connection
        finally:
            with suppress(psycopg.Error):  # a session that is gone has no lock either
                connection.execute("select pg_catalog.pg_advisory_unlock(%s, %s)", (CLASS, _APPLYING))
                connection.execute("reset all")  # a pooler may give this session to somebody else next


def at_work(connection: Connection) -> tuple[Holder, ...]:
    """Who changes this database now."""
    found = connection.execute(_HOLDERS, (CLASS, _APPLYING)).fetchall()
    return tuple(Holder(*row) for row in found)


def require_own(connection: Connection, another: Callable[[], Connection]) -> None:
    """Raises Stalled behind a pooler that shares sessions between clients. `another` opens one more beside it."""
    if not pooling.claim(connection, another):
        raise pooling.shared()


def _settle(connection: Connection, silence: str) -> None:
    """Settings of the session: notice a dead client soon, and outlive the limits meant for applications."""
    settings = [
        ("idle_in_transaction_session_timeout", silence), ("idle_session_timeout", silence), *_SILENCE,
    ]  # fmt: skip
    if connection.info.server_version >= 170000:
        settings.append(("transaction_timeout", "0"))
    for name, value in settings:
        connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, value))
    # Refused by servers on systems that cannot notice it (manual, client_connection_check_interval).
    with suppress(psycopg.errors.InvalidParameterValue):
        connection.execute("select pg_catalog.set_config('client_connection_check_interval', '1s', false)")


def _lock(connection: Connection, pace: Pace) -> None:
    pauses = pace.pauses()
    while True:
        row = connection.execute(
            "select pg_catalog.pg_try_advisory_lock(%s, %s)", (CLASS, _APPLYING)
        ).fetchone()
        if row is not None and row[0]:
            return
        pause = next(pauses, None)
        if pause is None:
            who = ", ".join(map(str, at_work(connection))) or "it has just finished"
            raise Waiting(
                f"another applier is at work on this database: {who}",
                hint="it is tried again by itself; only one may change a database at a time",
            )
        pace.sleep(pause)
