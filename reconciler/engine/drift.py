"""What differs between a database and its declarations, without a plan."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.catalog.compare import compare
from reconciler.engine.desired import Trust
from reconciler.engine.phases import Phase, waiting
from reconciler.engine.unmoved import settled
from reconciler.engine.work import Look, Told, looked, opened, remember, with_extra
from reconciler.errors import Stalled
from reconciler.model import Change, ObjectId, Snapshot
from reconciler.plan.relabel import relabelled
from reconciler.plan.rename import Renames, renames
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Drift:
    """`changes` lead from the live state (`before`) to the declared one (`after`); `extra` is undeclared and stays.

    Without changes the two states may have no objects in them: nothing moved since they were found equal, and they were not
    read again. `phases` are the columns among them that may be NULL already and are dropped next.
    """

    database: str
    changes: tuple[Change, ...]
    extra: tuple[ObjectId, ...]
    before: Snapshot
    after: Snapshot
    unmodelled: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()


def drift(database: Database, *, trust: Trust = "reviewed", told: Told = lambda stage: None) -> Drift:
    """Compares the target with its declarations; changes nothing. Raises as `looked` and `opened` do."""
    done = settled(database, trust=trust)
    if done is not None:
        return Drift(database.name, (), done.extra, done.before, done.after, done.unmodelled)
    look = looked(database, trust=trust, told=told)
    if look.wanted is not None:
        return _between(database, look, look.wanted, look.extra, trust)
    with opened(look, trust=trust, told=told) as work:
        return _between(database, look, work.wanted, work.extra, trust)


def as_declared(database: Database) -> str:
    """What may be said where nothing differs: of what the configuration keeps out nothing is known."""
    apart = f", but for {', '.join(database.exclude)}, which nobody looks at" if database.exclude else ""
    if database.schemas == "auto":
        return f"the database is as declared{apart}"
    chosen = "schema" if len(database.schemas) == 1 else "schemas"
    verb = "is" if len(database.schemas) == 1 else "are"
    return f"{chosen} {', '.join(database.schemas)} {verb} as declared{apart or '; others are not looked at'}"


def _between(
    database: Database, look: Look, wanted: Snapshot, extra: tuple[ObjectId, ...], trust: Trust
) -> Drift:
    live = look.live
    strange = tuple(sorted({*live.unmodelled, *wanted.unmodelled}))
    changes = compare(live, wanted)
    try:
        found = renames(look.declarations.renames, live, wanted) if changes else Renames()
    except Stalled:  # a hint that cannot be followed is the plan's to refuse; what differs is seen without it
        found = Renames()
    if found.moved:
        live = relabelled(live, found.moved, wanted)
        owned = {found.moved.get(id, id): version for id, version in look.owned.items()}
        wanted, more = with_extra(live, wanted, owned, prune=database.prune)
        extra = tuple(sorted({*extra, *more}))
        changes = (*found.changes, *compare(live, wanted))
    if not changes:
        remember(look, wanted, extra, trust)
    return Drift(database.name, changes, extra, live, wanted, strange, waiting(changes, live, look.history))
