"""A Status as JSON for the API and as one sentence for the page. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.model import Change, Condition, ObjectId, Status
from reconciler.web.published import severity


def _object(id: ObjectId) -> dict[str, str]:
    return {"kind": id.kind, "id": str(id)}


def _change(change: Change) -> dict[str, Any]:
    was = {"was": str(change.was)} if change.was is not None else {}
    return {"verb": change.verb, **_object(change.id), "attributes": list(change.attributes), **was}


def as_json(status: Status) -> dict[str, Any]:
    """Everything that is known about one database."""
    return {
        "database": status.database,
        "observed_at": status.observed_at,
        "conditions": [
            {
                "type": c.type,
                "status": c.status,
                "reason": c.reason,
                "sentence": c.sentence,
                "since": c.since,
                "as_wished": severity(c) == 0,
            }
            for c in status.conditions
        ],
        "drift": [_change(change) for change in status.drift],
        "extra": [_object(id) for id in status.extra],
        "pending": list(status.pending),
        "facts": dict(status.facts),
    }


def summary(status: Status) -> str:
    """The sentence of the worst condition."""
    if not status.conditions:
        return "not looked at yet"
    first = conditions(status)[0]
    return first.sentence or f"{first.type} is {first.status}: {first.reason}"


def conditions(status: Status) -> tuple[Condition, ...]:
    """Worst first; among equals the one this program is about."""
    return tuple(sorted(status.conditions, key=lambda c: (-severity(c), c.type != "InSync", c.type)))


STAGES = (
    ("up", "up"),
    ("up_again", "up again"),
    ("down", "down"),
    ("down_again", "down again"),
    ("reup", "up once more"),
)
"""What a rehearsal does, in order: the key in its proof, and how a person says it."""


def reached(found: bool | None) -> str:
    """How a stage of a rehearsal ended."""
    return "not reached" if found is None else "done" if found else "failed"


def rows(kept: bool | None) -> str:
    """What became of the rows of a rehearsal."""
    return "none watched" if kept is None else "kept" if kept else "lost, as announced"


def moment(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_sync(status: Status) -> bool:
    """Whether somebody looked and found no difference. Not known is not in sync."""
    return any(c.type == "InSync" and c.status == "True" for c in status.conditions)
