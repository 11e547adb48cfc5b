"""What the HTTP thread may know: one immutable value, replaced as a whole by whoever reconciles.

`Status.facts` carries what is more than conditions and drift. Every value is JSON. These are the keys this room reads; each may be
missing or null, which says "not known": its metric is then left out and the page does not mention it. Moments are seconds since 1970
(float, UTC) where the metric is a timestamp, else ISO 8601 text. Counts are those of the publishing process since it started.

For the page:

    mode, platform, major, server      text and numbers
    drift_as_of                        ISO: set when drift is the last known one, because the newest look failed
    differences                        [{"verb", "kind", "id", "live": {attribute: value} or null, "declared": {…} or null,
                                         "since": ISO, "by": {"user", "application", "client", "at": ISO, "command"}}, …];
                                       `since` and `by` (whoever the DDL listener saw) and each key of `by` may be missing
    plan                               the JSON of `reconciler plan`; of its `proof` the page shows passed, scope, the stages up,
                                       up_again, down, down_again, reup, then rows_kept, residue, unseeded, seconds
    audit                              {"at": ISO, "attacked", "findings": {severity: n}, "exempted", "cells": {verdict: n}, "decided": 0 to 1,
                                       "worst": [{"rule", "severity", "kind", "id", "says"}, …]} of the declared state
    history                            [{"version", "slug", "direction", "state", "applied_by", "started_at", "seconds", …}, …]
                                       as `reconciler history` writes it, oldest first; the page turns it round
    quarantine                         [{"kind", "id", "kept_as", "kept_at", "kept_by", "rows", "bytes", "held"}, …]
    suspension                         {"who", "at": ISO, "reason"}; null when it is not suspended
    source                             {"commit", "branch", "url", "fetched_at", "trouble"}: which commit of a git repository is declared, when
                                       its branch was last seen (a moment), and what keeps us from seeing it; each may be missing

Single numbers, each a metric with the label `database`:

    last_success                       moment of the last look that ended in sync
    drift_since                        moment since which it differs, as last known; null while it does not
    quarantine_objects, quarantine_bytes, quarantine_oldest   two counts and a moment
    pending_statements                 statements of the migrations that wait; where there is a `plan`, its own count
    hazards_awaiting_approval          hazards of pending migrations and of the plan that nobody allowed yet
    leader                             true or false: whether this process may apply here; null where nobody leads (observe)
    ddl_events                         count: what the DDL listener reported
    deadlocks                          count: `deadlocks` of pg_stat_database for this database, whoever was in them

Counts by label; every label is a word of a closed list, never a name out of a database:

    reconciles                         {trigger: {result: n}}. trigger: start, timer, files, git, listener, http, signal, again;
                                       result: in_sync, drifted, proposed, applied, suspended, waiting, stalled, failed
    migrations_applied                 {direction: {result: n}}, {"up": {"done": 2}, "down": {"failed": 1}}
    rehearsals                         {"passed": 3, "failed": 1}
    plan_statements, engine_failures   {"migra": 12, "catalog": 5}

Distributions of seconds, each value one that `durations.added` made (its module says the shape):

    reconcile_duration                 {phase: distribution}. phase: observe, propose, apply, audit, whole
    lock_wait                          distribution: how long a statement of an apply waited for its locks
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.engine.looking import as_wished
from reconciler.model import Condition, Status


@dataclass(frozen=True, slots=True)
class Published:
    """All databases at one moment.

    `deadline` is the reading of the monotonic clock by which the loop promised to publish again; None when there
    is no loop behind the page, so that there is nothing that could hang.
    """

    statuses: tuple[Status, ...] = ()
    deadline: float | None = None

    def find(self, name: str) -> Status | None:
        return next((status for status in self.statuses if status.database == name), None)

    @property
    def ready(self) -> bool:
        """Every database was looked at once."""
        return bool(self.statuses) and all(status.observed_at for status in self.statuses)

    def alive(self, clock: float) -> bool:
        """Whether the loop keeps its promise at this reading of the monotonic clock."""
        return self.deadline is None or clock <= self.deadline


@dataclass(slots=True)
class Board:
    """Where the loop pins the newest value and the HTTP thread reads it. Replacing a reference is atomic."""

    current: Published = field(default_factory=Published)


def severity(condition: Condition) -> int:
    """0 as wished, 1 not known, 2 not as wished."""
    if as_wished(condition):
        return 0
    return 1 if condition.status == "Unknown" else 2


def worst(status: Status) -> int:
    """The severity of the worst condition; a database that nobody has looked at is not known."""
    return max((severity(condition) for condition in status.conditions), default=1)


def worst_first(statuses: tuple[Status, ...]) -> tuple[Status, ...]:
    return tuple(
        sorted(statuses, key=lambda s: (-worst(s), -sum(severity(c) > 0 for c in s.conditions), s.database))
    )
