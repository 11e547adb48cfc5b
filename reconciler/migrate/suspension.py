"""A pause that a person asked for: nothing is proposed to this database or applied to it by itself until somebody resumes.

Kept in the database it is about, so that every replica and every machine sees it. Never deletes a row; the last one counts. To look
takes the right to read one table; a database without that table is not suspended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from reconciler.errors import Stalled
from reconciler.migrate.history import Connection, ensure, there
from reconciler.pg import ident

_WHO_WHEN_WHY = """said_by || case when client <> '' then ' (' || client || ')' else '' end,
       pg_catalog.to_char(said_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), reason"""
_LAST = f"select suspended, {_WHO_WHEN_WHY} from reconciler.suspension order by id desc limit 1"
_SAY = f"""
insert into reconciler.suspension (suspended, reason, said_by, client) values (%s, %s, session_user, %s)
returning {_WHO_WHEN_WHY}
"""


@dataclass(frozen=True, slots=True)
class Suspension:
    """Who paused reconciling, when (ISO 8601 in UTC), and why; `reason` may be empty."""

    who: str
    at: str
    reason: str = ""

    def __str__(self) -> str:
        return f"suspended by {self.who} at {self.at}{f': {self.reason}' if self.reason else ''}"


def suspension(connection: Connection) -> Suspension | None:
    """The pause that is in force; None when there is none. Raises Stalled when this role may not look."""
    return _in_force(connection, "select")


def suspend(connection: Connection, reason: str, *, client: str) -> Suspension:
    """Begins a pause. Who began it and when stays when it is begun again, unless another reason is given. `connection` is idle and in
    autocommit. Raises Stalled without the right to."""
    if not there(connection, "suspension"):
        ensure(connection)
    now = _in_force(connection, "select, insert")
    if now is not None and reason in ("", now.reason):
        return now
    return _say(connection, True, reason, client)


def resume(connection: Connection, *, client: str) -> Suspension | None:
    """Ends a pause and returns what it was; without one nothing is written, and None is returned. Raises Stalled without the right
    to."""
    now = _in_force(connection, "select, insert")
    if now is not None:
        _say(connection, False, "", client)
    return now


def _in_force(connection: Connection, rights: str) -> Suspension | None:
    with _permitted(connection, rights):
        last = connection.execute(_LAST.encode()).fetchone() if there(connection, "suspension") else None
    return Suspension(*last[1:]) if last is not None and last[0] else None


def _say(connection: Connection, suspended: bool, reason: str, client: str) -> Suspension:
    with _permitted(connection, "select, insert"):
        row = connection.execute(_SAY.encode(), (suspended, reason, client)).fetchone()
    assert row is not None
    return Suspension(*row)


@contextmanager
def _permitted(connection: Connection, rights: str) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        role = ident(connection.info.user)
        raise Stalled(
            f"role {role} may not {'look whether' if rights == 'select' else 'say that'} reconciling is suspended here:"
            f" {error.diag.message_primary}",
            hint=f"grant usage on schema reconciler to {role}; grant {rights} on reconciler.suspension to {role};",
        ) from error
