"""Whether the server's session belongs to this client alone, also behind a pooler.

A pooler in session mode gives a client one session of the server until it leaves; in transaction mode it gives another one for every
transaction, and what was set or locked in the one before belongs to somebody else (PgBouncer's manual: Pooling modes). Promises
to tell the two apart by trying, since no pooler says which it is, and that a session that was changed under a claim is noticed
before anything is done in it. Leaves one setting in the session, `reconciler.client`, and nothing else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled

Connection = psycopg.Connection[TupleRow]

_PROCESS: Final = secrets.token_hex(8)
_PAUSE: Final = 4000
"""Microseconds between two tries at most, drawn by lot: else they would fall into step with what others do."""
_TRIES: Final = 16
_LOOKS: Final = 4
"""In an idle pool the other one gets our session at once; in a crowded one we soon get somebody else's. Between the two it takes some
tries of both."""


def backend(session: Connection) -> int:
    """The process of the server that answers now. Behind a pooler it is not what the connection was told at its start."""
    return _seen(session)[0]


def direct(session: Connection) -> bool:
    """Whether the server itself answered when the connection was made: a pooler makes numbers of its own."""
    return backend(session) == session.info.backend_pid


def claim(session: Connection, another: Callable[[], Connection]) -> bool:
    """Whether the session is this client's alone until it leaves. `another` opens one more beside it, of the same address, in
    autocommit; it is opened only behind a pooler. Raises what `another` raises."""
    if direct(session):
        return True
    session.execute("select pg_catalog.set_config('reconciler.client', %s, false)", (_client(session),))
    with another() as other:
        for _ in range(_TRIES):
            # A pool hands out what came back last: that is ours, if nobody else came between.
            if _seen(session)[1] != _client(session):
                return False
            try:
                other.execute("begin")  # from here on the pooler cannot give its session to anybody else
            except psycopg.errors.ProtocolViolation:
                return False  # statement mode
            # First the other one: were there only one session for both, this one would wait for it.
            if _seen(other)[1] == _client(session):
                return False
            if any(_seen(session)[1] != _client(session) for _ in range(_LOOKS)):
                return False
            other.execute("rollback")
            time.sleep(secrets.randbelow(_PAUSE) / 1e6)
    return True


def require(session: Connection) -> None:
    """Raises Stalled when the session is neither the server's own nor the one that was claimed."""
    process, client = _seen(session)
    if process != session.info.backend_pid and client != _client(session):
        raise shared()


def shared() -> Stalled:
    """What to say of a session that others get, too."""
    return Stalled(
        "a pooler in transaction mode stands in front: locks and settings would belong to somebody else after each transaction",
        hint="give the direct address or the pooler's session mode (on Supabase: port 5432 instead of 6543)",
    )


def _client(session: Connection) -> str:
    # A pooler's number for the client, so that a descriptor's next owner is not taken for the one before.
    return f"{_PROCESS}.{session.fileno()}.{session.info.backend_pid}"


def _seen(session: Connection) -> tuple[int, str]:
    row = session.execute(
        "select pg_catalog.pg_backend_pid(), coalesce(pg_catalog.current_setting('reconciler.client', true), '')"
    ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])
