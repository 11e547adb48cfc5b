"""What the DDL listener told: who changed what, and when. Kept for a while, so that a difference can be put beside a name."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.model import Json, ObjectId
from reconciler.pg import ident

KEPT = 500
"""How many of a database's events are remembered."""


@dataclass(frozen=True, slots=True)
class Event:
    """One command. `objects` are (type, identity) as PostgreSQL prints them; empty when there were too many to tell."""

    command: str
    objects: tuple[tuple[str, str], ...]
    user: str
    application: str
    client: str
    at: str

    @property
    def by(self) -> dict[str, Json]:
        return {
            "user": self.user, "application": self.application, "client": self.client, "at": self.at, "command": self.command,
        }  # fmt: skip


class Events:
    """The latest of one database. One thread adds, another asks."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self.count = 0

    def add(self, payload: str) -> None:
        """One notification, as it came; what is none of ours is counted and not kept. An empty one only asks for a look."""
        if not payload:
            return
        self.count += 1
        try:
            told = json.loads(payload)
            objects = tuple((str(kind), str(identity)) for kind, identity in told.get("objects") or ())
            found = [str(told.get(key) or "") for key in ("command", "user", "application", "client", "at")]
        except (ValueError, TypeError, AttributeError, RecursionError):  # anybody may notify
            return
        self._kept.append(Event(found[0], objects, *found[1:]))

    def who(self, id: ObjectId, *, since: str = "") -> Event | None:
        """The latest event that can have changed this object, `since` a moment (ISO 8601) when there is one; not our own."""
        found = latest([one for one in self._kept if not one.application.startswith("reconciler ")], id)
        return found if found is not None and _moment(found.at) >= _moment(since) else None


def _moment(text: str) -> datetime:
    """To the second, as events and looks are told; what cannot be read lies before everything."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def latest(events: Iterable[Event], id: ObjectId) -> Event | None:
    """PostgreSQL names a part by its table ("p on public.t", "public.t.c"), and a function with its arguments."""
    whole = f"{ident(id.schema)}.{ident(id.name)}" if id.schema else ident(id.name)
    if id.kind in ("function", "procedure", "aggregate"):
        whole = f"{ident(id.schema)}.{id.name}"
    own = f"{ident(id.schema)}.{ident(id.part)}" if id.schema and id.part else whole

    def meant(identity: str) -> bool:
        return (
            identity in (whole, own)
            or identity.startswith((f"{whole}.", f"{whole}("))
            or identity.endswith((f" on {whole}", f" for {whole}"))
        )

    return next((one for one in reversed(tuple(events)) if any(meant(name) for _, name in one.objects)), None)
