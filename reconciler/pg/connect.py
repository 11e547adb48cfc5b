"""Connections: one function that makes them and tells apart what passes by itself from what a person must
change.

Promises a session that a pooler in front cannot confuse (no prepared statements), UTF-8, keep-alives, a
version between `OLDEST` and `NEWEST`, and errors without secrets. Never retries: that is the caller's
decision.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.pg.failures import connection_failure
from reconciler.pg.url import Url

OLDEST: Final = 14
NEWEST: Final = 18
"""The PostgreSQL majors that this program knows."""

_KEEPALIVE = {
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds; while an answer is awaited to what was sent, keep-alives do not count
}


def connect(
    url: Url,
    *,
    autocommit: bool = True,
    application_name: str = "reconciler",
    connect_timeout: int = 10,
) -> psycopg.Connection[TupleRow]:
    """A session on `url`; use it as a context manager or close it.

    `connect_timeout` is in seconds, per address tried. Raises `Waiting` (unreachable, starting up, full) or
    `Stalled` (wrong login, no such database, not admitted, unsupported version).
    """
    options = dict(url.options)
    defaults = {
        **_KEEPALIVE,
        "client_encoding": "UTF8",
        "connect_timeout": str(connect_timeout),
        "application_name": application_name,
    }
    missing = {key: value for key, value in defaults.items() if key not in options}
    try:
        connection = psycopg.connect(
            url.with_options(**missing).reveal(), autocommit=autocommit, prepare_threshold=None
        )
    except psycopg.OperationalError as error:
        raise connection_failure(url, str(error)) from None
    try:
        _check_version(url, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def major(connection: psycopg.Connection[TupleRow]) -> int:
    """The server's major version: 14 to 18."""
    return connection.info.server_version // 10000


def _check_version(url: Url, connection: psycopg.Connection[TupleRow]) -> None:
    found = major(connection)
    if OLDEST <= found <= NEWEST:
        return
    age = "older" if found < OLDEST else "newer"
    raise Stalled(
        f"{url.redacted}: the server is PostgreSQL {found}, {age} than the supported {OLDEST} to {NEWEST}",
        hint=f"upgrade the server to {OLDEST} or later" if found < OLDEST else "install a newer reconciler",
    )
