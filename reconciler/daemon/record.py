"""What is remembered of one database from pass to pass, and the status made of it.

Promises that what a failed look does not know stays as last known and is marked so, that a condition keeps the moment since which
it holds, and that the counters only grow. Only the worker of that database changes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.daemon.events import Events
from reconciler.daemon.wakeup import Trigger
from reconciler.engine import invariants
from reconciler.engine.cycle import Pass
from reconciler.errors import Stalled
from reconciler.model import Change, Condition, Json, Status
from reconciler.web.durations import Distribution, added

_BY = (("by", "user"), ("with", "application"), ("from", "client"))
_LASTING = (
    "differences",
    "history",
    "quarantine",
    "quarantine_objects",
    "quarantine_bytes",
    "quarantine_oldest",
    "major",
    "plan",
    "source",
    "audit",
    "invariants",
)
"""Facts that stay as last known when they could not be read."""


class Record:
    """`status` is the newest one; `events` is what the DDL listener told."""

    def __init__(self, name: str, mode: str) -> None:
        self.status = Status(name, "", facts={"mode": mode})
        self.events = Events()
        self._earlier: tuple[Condition, ...] = ()
        self._drifting: dict[tuple[str, str], tuple[str, dict[str, Json] | None]] = {}
        self._looked_at = ""
        self._since: float | None = None
        self._success: float | None = None
        self._passes: dict[str, Counter[str]] = defaultdict(Counter)
        self._migrations: dict[str, Counter[str]] = defaultdict(Counter)
        self._rehearsals: Counter[str] = Counter()
        self._engines: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._durations: dict[str, Distribution] = {}
        self._lock_wait: Distribution | None = None

    def heir(self, mode: str) -> Record:
        """What another configuration of the same database goes on with: all that is remembered, and nothing of how it stands."""
        made = copy(self)
        made._earlier = self.status.conditions or self._earlier
        made.status = Status(self.status.database, "", facts={"mode": mode})
        return made

    def makers(self) -> str:
        """Who made what differs, where the listener saw it, for a sentence."""
        found = {
            " ".join(f"{word} {by[key]}" for word, key in _BY if by.get(key))
            for _, by in self._drifting.values() if by
        }  # fmt: skip
        return f" (made {' and '.join(sorted(found))})" if found else ""

    def looked(self, found: Pass, told: Mapping[str, Json]) -> Status:
        """The status after a look, or after what followed it."""
        before, now = self.status, found.status
        moment = datetime.fromisoformat(now.observed_at).timestamp()
        facts = {**now.facts, **told}
        if found.seen is None:
            now = replace(now, drift=before.drift, extra=before.extra)
            if "suspension" not in facts:  # it was not to be asked: a pause stands until somebody ends it
                now = replace(
                    now,
                    conditions=(*now.conditions, *(c for c in before.conditions if c.type == "Suspended")),
                )
                facts["suspension"] = before.facts.get("suspension")
            if self._looked_at:
                facts["drift_as_of"] = self._looked_at
                facts |= {
                    key: before.facts[key] for key in _LASTING if key in before.facts and key not in told
                }
        else:
            self._since = (self._since or moment) if now.drift else None
            if not now.drift:
                self._success = moment
            self._attribute(now.drift, now.observed_at)
            self._looked_at = now.observed_at
            facts["differences"] = self._signed(facts.get("differences") or ())
        asked = invariants.condition(facts.get("invariants") or {}, now.observed_at)
        everything = (*now.conditions, asked) if asked else now.conditions
        conditions = tuple(_since(one, before.conditions or self._earlier) for one in everything)
        now = replace(now, pending=tuple(told.get("pending_migrations", before.pending)))
        self.status = replace(now, conditions=conditions, facts={**facts, **self._counted()})
        return self.status

    def audited(self, found: Json) -> Status:
        """The status with what the audit says of the declarations."""
        self.status = replace(self.status, facts={**self.status.facts, "audit": found})
        return self.status

    def failed(self, condition: Condition) -> Status:
        """The status when a pass did not end as any pass should."""
        now = self.unknown(self.counts(), condition.reason, condition.sentence)
        others = [one for one in now.conditions if one.type != condition.type]
        self.status = replace(now, conditions=(others[0], condition, *others[1:]))
        return self.status

    def unknown(self, status: Status, reason: str, sentence: str) -> Status:
        """A status of this database as one of which nothing is known now but what was last seen. Remembers nothing: any thread may
        ask."""
        sync = Condition("InSync", "Unknown", reason, sentence, moment())
        others = tuple(one for one in status.conditions if one.type != "InSync")
        marked = {"drift_as_of": self._looked_at} if self._looked_at else {}
        return replace(status, conditions=(sync, *others), facts={**status.facts, **marked})

    def counts(self) -> Status:
        """The status with its counters brought forward."""
        self.status = replace(self.status, facts={**self.status.facts, **self._counted()})
        return self.status

    def counted(self, trigger: Trigger, result: str) -> None:
        self._passes[trigger][result] += 1

    def took(self, phase: str, seconds: float) -> None:
        self._durations[phase] = added(self._durations.get(phase), seconds)

    def waited(self, seconds: float) -> None:
        """How long one statement waited for its locks."""
        self._lock_wait = added(self._lock_wait, seconds)

    def acted(self, found: Pass, *, landed: bool = False) -> None:
        """Counts what an act did: migrations, its rehearsal, who wrote the statements, and drafts that did not stand. `landed` says that
        something ran on the database itself."""
        for row in found.applied:
            self._migrations[row.direction]["done"] += 1
        if found.error is not None and landed:
            self._migrations["up"]["failed"] += 1
        if found.error is None or landed:
            self._rehearsals["passed"] += 1
        elif isinstance(found.error, Stalled) and "rehearsal" in found.error.what:
            self._rehearsals["failed"] += 1
        if found.proposal is not None:
            self._engines.update(statement.source for statement in found.proposal.plan.up)
            if found.proposal.plan.set_aside:
                self._failures["migra"] += 1

    def _counted(self) -> dict[str, Json]:
        return {
            "reconciles": {trigger: dict(results) for trigger, results in self._passes.items()},
            "migrations_applied": {way: dict(results) for way, results in self._migrations.items()},
            "rehearsals": dict(self._rehearsals),
            "plan_statements": dict(self._engines),
            "engine_failures": dict(self._failures),
            "reconcile_duration": dict(self._durations),
            "lock_wait": self._lock_wait,
            "ddl_events": self.events.count,
            "last_success": self._success,
            "drift_since": self._since,
        }

    def _attribute(self, changes: Sequence[Change], at: str) -> None:
        """Since when each difference is there, and who made it, where the listener saw that."""
        now = {}
        for change in changes:
            key = (change.id.kind, str(change.id))
            before = self._drifting.get(key)
            # Only what was told since the last look that did not show it can have made it.
            event = self.events.who(change.id, since=self._looked_at) if before is None else None
            now[key] = (
                before[0] if before else at,
                before[1] if before and before[1] else event.by if event else None,
            )
        self._drifting = now

    def _signed(self, differences: Sequence[Json]) -> list[Json]:
        signed = []
        for one in differences:
            since, by = self._drifting.get((one["kind"], one["id"]), ("", None))
            signed.append({**one, **({"since": since} if since else {}), **({"by": by} if by else {})})
        return signed


def _since(now: Condition, before: Sequence[Condition]) -> Condition:
    for earlier in before:
        if (earlier.type, earlier.status) == (now.type, now.status):
            return replace(now, since=earlier.since)
    return now


def moment() -> str:
    """Now, as a status writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
