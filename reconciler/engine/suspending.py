"""`suspend` and `resume`: while a person wants to be left alone with a database, it is looked at and nothing else.

Kept on the database itself. Promises that whoever may only look still sees it, and that what would write asks again right before.
"""

from __future__ import annotations

from dataclasses import replace

import psycopg

from reconciler import migrate
from reconciler.engine.consent import client
from reconciler.engine.listening import tell
from reconciler.errors import ReconcilerError
from reconciler.migrate import Suspension
from reconciler.model import Condition, Json, Status
from reconciler.pg import connect
from reconciler.settings import Database

_LONGEST = 1000
"""Characters of a reason that are kept; it stands on one line of a page."""


def suspend(database: Database, reason: str = "", *, who: str = "") -> Suspension:
    """Pauses reconciling; a second time changes nothing unless another reason is given. `who` is who asks, beyond the database role;
    empty for whoever runs this program. Raises Stalled without the right to, Waiting when the target is not there."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in reason).split())[:_LONGEST]
    with connect(database.target()) as live:
        found = migrate.suspend(live, line, client=who or client())
        tell(live)
        return found


def resume(database: Database, *, who: str = "") -> Suspension | None:
    """Ends the pause and returns what it was; None when there was none. Raises as `suspend`."""
    with connect(database.target()) as live:
        found = migrate.resume(live, client=who or client())
        tell(live)
        return found


def suspension(database: Database) -> Suspension | None:
    """The pause that is in force. Raises Stalled when this role may not look, Waiting when the target is not there."""
    with connect(database.target()) as live:
        return migrate.suspension(live)


def seen(database: Database) -> Suspension | None:
    """The same for whoever only shows it: None also when it cannot be read."""
    try:
        return suspension(database)
    except (ReconcilerError, psycopg.Error):
        return None


def sentence(found: Suspension) -> str:
    """What a person who works on the database all the same should know."""
    return f"reconciling is {found}; what you do here yourself is done all the same (reconciler resume ends the pause)"


def told_of(status: Status, found: Suspension | None) -> Status:
    """The status with the pause in it, as a condition and for the page; what it said of one before is replaced."""
    conditions = tuple(c for c in status.conditions if c.type != "Suspended")
    if found is not None:
        sentence = f"{found}: nothing is proposed or applied"
        conditions = (*conditions, Condition("Suspended", "True", "Paused", sentence, found.at))
    return replace(status, conditions=conditions, facts={**status.facts, "suspension": fact(found)})


def fact(found: Suspension | None) -> dict[str, Json] | None:
    """As the status page and scripts get it."""
    return {"who": found.who, "at": found.at, "reason": found.reason} if found else None
