"""What differs between a database and its declarations, without a plan."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.catalog.compare import compare
from reconciler.engine.desired import Trust
from reconciler.engine.work import Told, looked, opened
from reconciler.model import Change, ObjectId, Snapshot
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Drift:
    """`changes` lead from the live state (`before`) to the declared one (`after`); `extra` is undeclared and stays."""

    database: str
    changes: tuple[Change, ...]
    extra: tuple[ObjectId, ...]
    before: Snapshot
    after: Snapshot
    unmodelled: tuple[str, ...] = ()


def drift(database: Database, *, trust: Trust = "reviewed", told: Told = lambda stage: None) -> Drift:
    """Compares the target with its declarations; changes nothing. Raises as `looked` and `opened` do."""
    look = looked(database, trust=trust, told=told)
    if look.wanted is not None:
        return _between(database, look.live, look.wanted, look.extra)
    with opened(look, trust=trust, told=told) as work:
        return _between(database, work.live, work.wanted, work.extra)


def _between(database: Database, live: Snapshot, wanted: Snapshot, extra: tuple[ObjectId, ...]) -> Drift:
    strange = tuple(sorted({*live.unmodelled, *wanted.unmodelled}))
    return Drift(database.name, compare(live, wanted), extra, live, wanted, strange)
