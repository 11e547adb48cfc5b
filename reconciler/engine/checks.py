"""What the doctor says about one thing, and the few ways of saying it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import ReconcilerError, Usage

Connection = psycopg.Connection[TupleRow]
State = Literal["good", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `code` is the exit code it stands for: 0 unless something is missing."""

    name: str
    state: State
    sentence: str
    hint: str = ""
    statements: tuple[str, ...] = ()
    code: int = 0


def failed(name: str, error: ReconcilerError) -> Check:
    """What an error of ours means here."""
    code = 1 if isinstance(error, Usage) else error.exit_code
    return Check(name, "missing", error.what, error.hint, code=code)


def missing(name: str, sentence: str, hint: str = "", *statements: str) -> Check:
    """Something a person has to provide."""
    return Check(name, "missing", sentence, hint, statements, code=1)


def one(live: Connection, sql: str, *values: object) -> TupleRow:
    """The one row of a query that always has one."""
    row = live.execute(sql.encode(), values or None).fetchone()
    assert row is not None
    return row
