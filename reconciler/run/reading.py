"""A session that reads the catalog of a busy database.

PostgreSQL's own functions that print definitions lock what they print (manual: System Catalog Information Functions), so a look waits
behind whoever holds a table for himself. Promises not to wait longer than a limit, and to say then who is in the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Waiting
from reconciler.pg import Url, connect, pooling
from reconciler.run.holders import Lookout

PATIENCE = 10.0
"""Seconds that a look waits for a lock: longer than most transactions, shorter than a person at the alert."""


@contextmanager
def reading(url: Url, *, patience: float = PATIENCE) -> Iterator[psycopg.Connection[TupleRow]]:
    """The session. Raises Waiting, with who holds the lock, when one is not to be had for `patience` seconds."""
    with (
        connect(url) as session,
        Lookout(
            lambda: connect(url, application_name="reconciler lookout"), pooling.backend(session)
        ) as lookout,
    ):
        direct = pooling.direct(session)
        limit = f"{round(patience * 1000)}ms"
        try:
            # Behind a pooler the session may be an application's a moment later: there it is a transaction's setting. A direct one has
            # no transaction around it all, which would keep the locks of the printed definitions until the end.
            with nullcontext() if direct else session.transaction():
                session.execute("select pg_catalog.set_config('lock_timeout', %s, %s)", (limit, not direct))
                lookout.watch()
                yield session
        except psycopg.errors.LockNotAvailable:
            seen = lookout.seen
            raise Waiting(
                f"the database could not be read within {patience:g} s: {seen.sentence if seen else 'somebody holds a lock'}",
                hint=seen.remedy if seen else "it is tried again by itself",
            ) from None
