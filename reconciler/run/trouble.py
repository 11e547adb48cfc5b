"""What a failed statement means: try again now, wait, or ask a person. Knows SQLSTATEs (manual, appendix A).

Promises that PostgreSQL's own message, detail and hint reach the reader, with the statement and with what
stands and what was rolled back. Never shows a whole long statement.
"""

from __future__ import annotations

from enum import Enum

import psycopg

from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.model import Statement, Step
from reconciler.run.holders import Blocked
from reconciler.run.nature import head

LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"
_READ_ONLY = "25006"
_PRIMARY = (
    "the server is a standby, or read-only for now: give the URL of the primary; a failover passes by itself"
)
_SHOWN = 240


class Verdict(Enum):
    """What to do about an error."""

    AGAIN = "again"
    """Roll back and try again soon: somebody else was in the way."""
    LATER = "later"
    """Passes by itself, but not within seconds: a full disk, a standby, a cancelled statement."""
    LOST = "lost"
    """The session is gone, and the transaction with it."""
    PERSON = "person"
    """The same statement fails the same way again."""


def verdict(error: psycopg.Error, *, blocked: bool = False) -> Verdict:
    """Sorts an error. `blocked` says whether the statement was seen waiting for a lock when it ended."""
    state, message = error.sqlstate or "", str(error)
    if state in (LOCK_NOT_AVAILABLE, "40P01", "40001"):
        return Verdict.AGAIN
    # Two sessions changed the same catalog row: GRANT, ALTER and CREATE … IF NOT EXISTS do not lock against
    # each other, PostgreSQL reports it as an internal error or as a duplicate key of a catalog.
    if state == "XX000" and ("tuple concurrently" in message or "cache lookup failed" in message):
        return Verdict.AGAIN
    if state == "23505" and error.diag.schema_name == "pg_catalog":
        return Verdict.AGAIN
    if state == QUERY_CANCELED:
        return Verdict.LATER if blocked or "statement timeout" not in message else Verdict.PERSON
    if state.startswith(("57P", "08")) or (not state and _is_broken(error)):
        return Verdict.LOST
    if state.startswith("53") or state == _READ_ONLY:
        return Verdict.LATER
    return Verdict.PERSON


def passes_by_itself(error: psycopg.Error) -> bool:
    """Whether the same command may succeed later without anybody changing anything."""
    return verdict(error) is not Verdict.PERSON


def in_family(error: psycopg.Error) -> ReconcilerError | None:
    """A question of our own that PostgreSQL did not answer for a reason that is nobody's fault, as an error that says what to do: a
    right, a lock, a shutdown. None for the rest, which is a fault of this program."""
    if passes_by_itself(error):
        return Waiting(
            told(error), hint=_PRIMARY if error.sqlstate == _READ_ONLY else "run the same command again"
        )
    if error.sqlstate == "42501":
        return Stalled(told(error), hint="the role in the URL lacks a right")
    return None


def shortened(sql: str) -> str:
    """A statement on one line, cut where it gets long."""
    line = " ".join(head(sql).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def told(error: psycopg.Error) -> str:
    """PostgreSQL's message and detail, with the SQLSTATE."""
    diag = error.diag
    message = diag.message_primary or (str(error).splitlines() or [type(error).__name__])[0]
    detail = f" ({diag.message_detail})" if diag.message_detail else ""
    state = f" [{error.sqlstate}]" if error.sqlstate else ""
    return f"{message}{detail}{state}"


_SAID = ("2B", "3D", "3F", "40", "42", "53", "55", "57")
_QUOTES = "42601"
"""Classes of errors that speak of names, rights and locks; a syntax error quotes the value it stumbles over."""


def discreet(error: psycopg.Error) -> psycopg.Error:
    """The same error without what may quote a secret that was filled in: its context always, its message mostly."""
    state = error.sqlstate or ""
    tellable = state.startswith(_SAID) and state != _QUOTES
    said = error.diag.message_primary if tellable else None
    return type(error)(said or "PostgreSQL's message is withheld, since it may quote the secret")


def place(statement: Statement) -> str:
    """Where something failed, as the messages say it."""
    return f"in: {shortened(statement.sql)}"


AT_COMMIT = "at commit (a deferred constraint or trigger)"
AROUND = "around the statements"


def standing(step: Step) -> str:
    """What is left in the database after this step failed."""
    own = (
        "everything in this step was rolled back"
        if step.transactional
        else "this statement runs outside a transaction and can run again"
    )
    return own if step.number == 1 else f"{own}; steps 1 to {step.number - 1} stand and will not run again"


def failed(error: psycopg.Error, where: str, step: Step) -> Stalled:
    """The error for a person: the statement, what PostgreSQL says, what stands."""
    hint = error.diag.message_hint or "correct the statement or the data it stumbles over, then plan again"
    if error.sqlstate == QUERY_CANCELED:
        hint = "it ran into statement_timeout: raise it if the rehearsed duration says that this is normal"
    return Stalled(f"{told(error)}, {where}; {standing(step)}", hint=hint)


def waiting(
    error: psycopg.Error, where: str, step: Step, *, seen: Blocked | None, blind: str, tries: int
) -> Waiting:
    """The error for what passes by itself, naming who was in the way when that was seen."""
    times = f" after {tries} tries" if tries > 1 else ""
    cause, hint = told(error), _PRIMARY if error.sqlstate == _READ_ONLY else "it is tried again by itself"
    if seen is not None:
        cause, hint = f"{seen.sentence}: {cause}", seen.remedy
    elif error.sqlstate == LOCK_NOT_AVAILABLE:
        cause += (
            f"; who holds the lock is not known ({blind})" if blind else "; who held it was gone too soon"
        )
    return Waiting(f"{cause}{times}, {where}; {standing(step)}", hint=hint)


def lost(error: psycopg.Error, where: str, step: Step) -> Waiting:
    """The connection broke before COMMIT was sent: PostgreSQL rolls back by itself."""
    return Waiting(
        f"the connection to the server was lost ({told(error)}) {where}; {standing(step)}",
        hint="it is tried again by itself; if it happens at this statement again, read the server's log",
    )


def _is_broken(error: psycopg.Error) -> bool:
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
