"""The end of what is kept: destroyed when its time is over, held when somebody must not lose it, erased row by row where the law says.

Promises that nothing younger than the retention and nothing held is destroyed, whoever holds it or applies meanwhile, and that
whatever could not be done is named with the reason. What is kept in one thing goes in one transaction, or stays. Nothing in the
living schema is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog import quarantine
from reconciler.engine import erasing
from reconciler.engine.custody import Obstacle, Refused, bounded, custody, of_postgres, settled
from reconciler.errors import Stalled, Usage, Waiting
from reconciler.model import Quarantined
from reconciler.pg import connect, ident
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]
WAIT = 10.0
"""Seconds for which an applier that is at work is waited for."""
_NOUNS = {
    "sequence": "sequence", "function": "function", "procedure": "procedure", "aggregate": "aggregate", "enum": "type",
    "composite": "type", "range": "type", "domain": "domain", "collation": "collation", "view": "view",
    "text_search_configuration": "text search configuration", "text_search_dictionary": "text search dictionary",
}  # fmt: skip
"""How DROP calls what is no table."""
_UNFINISHED = Obstacle(
    "its migration is not finished: reconciler apply goes on with it, reconciler rollback takes it away"
)


@dataclass(frozen=True, slots=True)
class Purged:
    """What was destroyed, and what stays, each with the reason; `passes` when the next purge may do all that, with nobody acting."""

    gone: tuple[Quarantined, ...]
    left: tuple[tuple[Quarantined, str], ...]
    passes: bool = False


def kept(database: Database) -> tuple[Quarantined, ...]:
    """What is kept of this database, oldest first."""
    with connect(database.target()) as live:
        return quarantine.kept(live)


def is_due(one: Quarantined, now: datetime, seconds: float) -> bool:
    """Whether it was kept for as long as it had to be, and nobody holds it."""
    return not one.held and datetime.fromisoformat(one.kept_at) <= now - timedelta(seconds=seconds)


def purge(
    database: Database,
    *,
    older_than: float | None = None,
    agreed: Iterable[Quarantined] | None = None,
    now: datetime | None = None,
    wait: float = WAIT,
    told: Callable[[str], None] = lambda stage: None,
) -> Purged:
    """Destroys what is kept for longer than the retention, or than `older_than` seconds, and not held.

    Of that only what is `agreed`, when that is given. Raises Waiting when an apply, rollback or purge is at work for longer than
    `wait` seconds, and Waiting or Stalled when the target cannot be read; what cannot be dropped is left, with the reason.
    """
    moment = now or datetime.now(UTC)
    seconds = database.retention.seconds if older_than is None else older_than
    numbers = None if agreed is None else {one.number for one in agreed}
    gone: list[Quarantined] = []
    left: dict[str, Obstacle] = {}
    with custody(database, wait) as live:
        todo: dict[str, list[Quarantined]] = {}
        for one in quarantine.kept(live):
            if is_due(one, moment, seconds) and (numbers is None or one.number in numbers):
                todo.setdefault(one.kept_as, []).append(one)
        # A table's partitions before the table, and what tables stand on last: each round makes room for the next.
        while True:
            done = [name for name, group in todo.items() if _dropped(live, group, database, told, left)]
            for name in done:
                gone += todo.pop(name)
            if not done:
                break
    stays = [(one, left[name].reason) for name, group in todo.items() for one in group]
    return Purged(tuple(gone), tuple(stays), bool(todo) and all(left[name].passes for name in todo))


def _dropped(
    live: Connection,
    group: Sequence[Quarantined],
    database: Database,
    told: Callable[[str], None],
    left: dict[str, Obstacle],
) -> bool:
    """Whether what these are kept in is gone, and what the registry knew of it."""
    for one in group:
        told(f"purge {one.id.kind} {one.id}")
    if any(one.unfinished for one in group):
        left[group[0].kept_as] = _UNFINISHED
        return False
    name = ident(quarantine.SCHEMA, group[0].kept_as)
    try:
        with bounded(live, database):
            numbers = [one.number for one in settled(live, group)]
            if not {one.number for one in group}.issuperset(numbers):
                raise Refused(Obstacle("part of it is still to be kept"))
            if _partitions(live, name):
                raise Refused(Obstacle("a partition of it is still kept"))
            for drop in sorted({_drop(one, name) for one in group}):
                live.execute(drop.encode())
            live.execute("delete from reconciler_quarantine.kept where id = any(%s)", (numbers,))
    except Refused as refused:
        left[group[0].kept_as] = refused.obstacle
        return False
    except psycopg.Error as error:
        left[group[0].kept_as] = of_postgres(error)
        return False
    return True


def _drop(one: Quarantined, name: str) -> str:
    noun = _NOUNS.get(one.id.kind, "table")
    signature = one.id.part if noun in ("function", "procedure", "aggregate") else ""
    return f"drop {noun} if exists {name}{signature}"


def _partitions(live: Connection, name: str) -> bool:
    """Whether dropping this table would take others with it."""
    row = live.execute(
        "select exists (select from pg_catalog.pg_inherits where inhparent = pg_catalog.to_regclass(%s))",
        (name,),
    ).fetchone()
    return bool(row and row[0])


def hold(database: Database, names: Sequence[str], reason: str | None) -> tuple[Quarantined, ...]:
    """Holds what is kept under these names until it is released, or releases it when there is no reason.

    A name is what it was called (`public.invoices`, `public.invoices.total`) or is called now. Raises Usage for one that nothing has,
    Waiting when it is being purged, erased from or brought back, Stalled when it has just been: what is returned is held, or free.
    """
    with connect(database.target()) as live:
        everything = quarantine.kept(live)
        chosen: list[Quarantined] = []
        for name in names:
            found = [one for one in everything if name in _names(one)]
            if not found:
                raise Usage(
                    f"nothing is kept under the name {name}", hint="reconciler purge --list shows what is"
                )
            chosen += found
        try:
            with bounded(live, database):
                _held(live, chosen, reason)
        except psycopg.errors.LockNotAvailable as error:
            raise Waiting(
                f"somebody is purging, erasing from or bringing back {', '.join(names)}: {of_postgres(error).reason}",
                hint="run the same command again; reconciler purge --list shows what is kept",
            ) from error
        there = quarantine.below(live, {one.kept_as for one in chosen})
        return tuple(one for one in quarantine.kept(live) if one.kept_as in there)


def _held(live: Connection, chosen: Sequence[Quarantined], reason: str | None) -> None:
    """Marks these, what shares a table with them, of which there is only one to destroy, and what stands below.

    A reason of its own stays there: who releases the table has not released a partition that somebody else holds.
    """
    named = {one.kept_as for one in chosen}
    rows = quarantine.locked(live, quarantine.below(live, named))
    lost = {one.number for one in chosen} - {row.number for row in rows}
    if lost:
        gone = ", ".join(f"{one.id.kind} {one.id}" for one in chosen if one.number in lost)
        raise Stalled(
            f"no longer kept, since it was purged or brought back meanwhile: {gone}",
            hint="nothing was changed; reconciler purge --list shows what is kept",
        )
    before = {row.held for row in rows if row.kept_as in named} | {""}
    live.execute(
        "update reconciler_quarantine.kept set held = %s where id = any(%s)",
        (reason, [row.number for row in rows if row.kept_as in named or row.held in before]),
    )


def _names(one: Quarantined) -> set[str]:
    plain = ".".join(part for part in (one.id.schema, one.id.name, one.id.part) if part)
    return {str(one.id), plain, one.kept_as, f"{quarantine.SCHEMA}.{one.kept_as}"}


def erase(
    database: Database,
    condition: str,
    *,
    wait: float = WAIT,
    told: Callable[[str], None] = lambda stage: None,
) -> tuple[erasing.Erased, ...]:
    """Deletes the rows that meet an SQL condition from everything that is kept and not held, and says what could not be asked.

    The condition is SQL of whoever runs this, with their rights. Raises Waiting as `purge` does.
    """
    with custody(database, wait) as live:
        found: dict[str, erasing.Erased] = {}
        todo = list(_once(quarantine.kept(live)))
        # A row goes when those that refer to it have gone, which may be in another partition.
        while todo:
            answers = [erasing.erased(live, one, condition, database, told) for one in todo]
            found |= {one.kept.kept_as: one for one in answers}
            todo = [one.kept for one in answers if one.key] if any(one.rows for one in answers) else []
        return tuple(found.values())


def _once(everything: Iterable[Quarantined]) -> Iterable[Quarantined]:
    """Each thing that holds rows, once, however many columns it keeps."""
    seen: set[str] = set()
    for one in everything:
        if one.id.kind not in _NOUNS and one.kept_as not in seen:
            seen.add(one.kept_as)
            yield one
