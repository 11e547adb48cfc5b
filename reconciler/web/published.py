"""What the HTTP thread may know: one immutable value, replaced as a whole by whoever reconciles.

`Status.facts` carries what is more than conditions and drift. The keys this room reads, all optional:

    mode, platform, major, server      text and numbers for the page
    last_success                       seconds since 1970: the last look that ended in sync
    drift_as_of                        set when drift is the last known one, because the newest look failed
    differences                        [{"verb", "kind", "id", "live": {attribute: value}, "declared": {…}}, …]
    plan                               the JSON of `reconciler plan`
    history                            [{"version", "slug", "direction", "applied_by", "started_at", "seconds", …}, …]
    rehearsals                         {"passed": 3, "failed": 1}
    migrations_applied                 {"up": {"done": 2}, "down": {"failed": 1}}
    plan_statements, engine_failures   {"migra": 12, "catalog": 5}
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
