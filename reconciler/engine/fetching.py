"""Which files declare a database now: those of its folder, or those of the newest commit that could be fetched.

Promises that a repository that cannot be reached leaves the last commit in force, and that whoever looks is told so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from reconciler.engine.checkout import Checkout
from reconciler.errors import ReconcilerError, Waiting
from reconciler.model import Condition, Json, Status
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Fetched:
    """`database` is as it was configured until a commit was fetched. `at` is when the branch was last seen (seconds since 1970),
    `trouble` what keeps us from seeing it since the moment `since`."""

    database: Database
    at: float | None = None
    trouble: ReconcilerError | None = None
    since: float | None = None

    @property
    def hindrance(self) -> ReconcilerError | None:
        """Why there is no commit to go by; None when there is one, or none is needed."""
        if self.database.source is None or self.database.commit:
            return None
        return self.trouble or Waiting(
            f"the repository {self.database.source.git} was not fetched yet", hint="it is under way"
        )

    def told_of(self, status: Status) -> Status:
        """The status with what is known of the repository now."""
        if self.database.source is None:
            return status
        facts: dict[str, Json] = {**source_fact(self.database), **(status.facts.get("source") or {})}
        facts |= {"fetched_at": self.at, "trouble": self.trouble.what if self.trouble else None}
        status = replace(status, facts={**status.facts, "source": facts})
        return replace(status, conditions=self._conditions(status)) if self.trouble is not None else status

    def _conditions(self, status: Status) -> tuple[Condition, ...]:
        assert self.trouble is not None
        type = "Waiting" if isinstance(self.trouble, Waiting) else "Stalled"
        since = datetime.fromtimestamp(self.since or time.time(), UTC).isoformat(timespec="seconds")
        stays = f"; commit {self.database.commit[:8]} stays in force" if self.database.commit else ""
        says = f"{self.trouble.what}{stays}\n  → {self.trouble.hint}"
        reason = "TriedAgain" if type == "Waiting" else "ActionNeeded"
        said = next((one for one in status.conditions if one.type == type and one.status == "True"), None)
        if said is not None:  # the pass itself says what is in its way: one does not hide the other
            both = (
                said
                if self.trouble.what in said.sentence
                else replace(said, sentence=f"{said.sentence}\n{says}")
            )
            return tuple(both if one is said else one for one in status.conditions)
        return (
            *(one for one in status.conditions if one.type != type),
            Condition(type, "True", reason, says, since),
        )


def fetched(database: Database) -> Database:
    """The database with the files that declare it now. Raises Waiting or Stalled when its repository cannot be read."""
    if database.source is None or database.commit:
        return database
    checkout = Checkout(database.source)
    commit = checkout.fetch()
    return database.at(commit, checkout.tree(database, commit))


def known(database: Database) -> Fetched:
    """The same without an error: the commit that was fetched last stays in force when there is trouble."""
    if database.source is None or database.commit:
        return Fetched(database, time.time())
    try:
        return Fetched(fetched(database), time.time())
    except ReconcilerError as error:
        return Fetched(remembered(database), trouble=error, since=time.time())


def remembered(database: Database) -> Database:
    """The database with the files of the commit that this machine fetched last; as it was configured when there is none."""
    assert database.source is not None
    checkout = Checkout(database.source)
    try:
        commit = checkout.last()
        return database.at(commit, checkout.tree(database, commit)) if commit else database
    except ReconcilerError:
        return database


def source_fact(database: Database) -> dict[str, Json]:
    """What of a repository is declared, without what lets one in."""
    if database.source is None:
        return {}
    return {
        "commit": database.commit or None,
        "branch": database.source.branch,
        "url": str(database.source.git),
    }
