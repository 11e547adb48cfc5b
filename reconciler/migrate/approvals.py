"""Consent given beforehand to the hazards of one migration file, kept in the database it is meant for.

An approval names the version and the checksum of the file that was looked at: an edited file has none. Never deletes a row;
the last one of a version counts, and one without codes takes the approval back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from reconciler.errors import Stalled
from reconciler.migrate.history import Connection, ensure, there
from reconciler.model import Migration
from reconciler.pg import ident

_READ = """
select version, checksum, codes, approved_by || case when client <> '' then ' (' || client || ')' else '' end,
       pg_catalog.to_char(approved_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  from reconciler.approvals
 order by id
"""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who allowed which hazards of a file, by its checksum. `at` is ISO 8601 in UTC; without codes it was taken back."""

    version: str
    checksum: str
    codes: tuple[str, ...]
    who: str
    at: str


def approve(connection: Connection, migration: Migration, codes: Sequence[str], *, client: str) -> Approval:
    """Records that these hazards of this very file may happen. `connection` is idle and in autocommit. Raises Stalled without the
    right to."""
    ensure(connection)
    with _permitted(connection):
        connection.execute(
            "insert into reconciler.approvals (version, checksum, codes, approved_by, client)"
            " values (%s, %s, %s, session_user, %s)",
            (migration.version, migration.checksum, sorted(codes), client),
        )
    return approvals(connection)[migration.version]


def approvals(connection: Connection) -> dict[str, Approval]:
    """The approval that counts for each version; empty where nobody ever approved anything."""
    with _permitted(connection):
        if not there(connection, "approvals"):
            return {}
        rows = connection.execute(_READ).fetchall()
    return {row[0]: Approval(row[0], row[1], tuple(row[2]), row[3], row[4]) for row in rows}


@contextmanager
def _permitted(connection: Connection) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        role = ident(connection.info.user)
        raise Stalled(
            f"role {role} may not use the approvals in schema reconciler: {error.diag.message_primary}",
            hint=f"grant usage on schema reconciler to {role}; grant select, insert on reconciler.approvals to {role};",
        ) from error
