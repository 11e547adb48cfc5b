"""How long a plan would take on the target's row counts: timed on the shadow at three scales, told as a band.

The tables that the plan touches are filled with made-up rows, each scale holding four times as many as the one before; UP and DOWN run
on fresh copies of that. A plan over tables that have not 10,000 rows together is not timed: it is over at once. Promises never a point,
and nothing about what it could not fill or run: that is said in `Weighed.unweighed`. Knows nothing of the target's disks, of what
else runs there, nor of waiting for locks: the band is that of an idle machine like the shadow's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from reconciler.errors import ReconcilerError
from reconciler.model import Band, Measured, ObjectId, Rehearsal, Size, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.shadow import trial
from reconciler.shadow.band import Point, band, over_at_once
from reconciler.shadow.filled import Later, filled, later, touched_tables
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.work import grows, work_of

SMALL = 10_000
"""Below this many rows in all the tables it touches a plan is not worth the time."""
TOP = 50_000
"""About as many rows as they get, together, at the largest scale."""
SCALES = (1 / 16, 1 / 4, 1.0)
ROUNDS = (2, 2, 3)
"""How often UP and DOWN are timed at each scale: the median counts."""
BUDGET = 60.0
"""Seconds after which no further scale is begun."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The bands of the statements, in their order; None where one could not be had."""

    up: tuple[Band | None, ...] = ()
    down: tuple[Band | None, ...] = ()
    unweighed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Times:
    """What was timed at one scale: the `rows` of each table, and for each statement the seconds of every round."""

    rows: Mapping[ObjectId, int]
    up: tuple[tuple[float, ...], ...]
    down: tuple[tuple[float, ...], ...]


def weigh(
    shadow: Shadow,
    start: Url,
    before: Snapshot,
    up: Sequence[Statement],
    down: Sequence[Statement],
    rehearsal: Rehearsal,
    sizes: Mapping[ObjectId, Size],
    *,
    role: str = "",
    top: int = TOP,
    budget: float = BUDGET,
    told: Callable[[str], None] = lambda stage: None,
) -> Weighed:
    """`start` is a scratch database in the state `before` that nobody is connected to; `sizes` are those of the target."""
    touched = touched_tables(before, (*rehearsal.measured_up, *rehearsal.measured_down))
    live = {id: sizes[id] for id in sorted(touched) if id in sizes}
    if _rows(live) < SMALL:
        return Weighed(unweighed=(f"not timed at several scales: what it touches has not {SMALL:,} rows",))
    if not grows(up, down, rehearsal, live):
        at_once = [
            tuple(over_at_once(one.seconds) for one in each)
            for each in (rehearsal.measured_up, rehearsal.measured_down)
        ]
        return Weighed(at_once[0], at_once[1])
    after = _after(shadow, start, up, role)
    failed = ""
    for varied in (True, False):
        # Varied values make an index or a sort as dear as real ones do, but a cast may not take them.
        try:
            found, notes = _at_scales(
                shadow, start, before, after, up, down, live, varied, role, top, budget, told
            )
        except (ReconcilerError, psycopg.Error) as error:
            failed = failed or _said(error)
            continue
        if not found:
            return Weighed(unweighed=notes)
        return Weighed(
            _bands([(one.rows, one.up) for one in found], up, rehearsal.measured_up, live),
            _bands([(one.rows, one.down) for one in found], down, rehearsal.measured_down, live),
            notes,
        )
    return Weighed(unweighed=(f"not timed at several scales: {failed}",))


def _bands(
    found: Sequence[tuple[Mapping[ObjectId, int], tuple[tuple[float, ...], ...]]],
    statements: Sequence[Statement],
    measured: Sequence[Measured],
    live: Mapping[ObjectId, Size],
) -> tuple[Band | None, ...]:
    """A statement grows with the tables that it reads or writes; one that only locks some, with those; else with all."""
    bands = []
    filled_tables = {f"{id.schema}.{id.name}": id for id in found[0][0] if id in live}
    for n, statement in enumerate(statements):
        seen = measured[n] if n < len(measured) else Measured()
        whole = {filled_tables[name] for name in (*seen.rewrites, *seen.scans) if name in filled_tables}
        locked = {filled_tables[one.relation] for one in seen.locks if one.relation in filled_tables}
        tables = whole or locked or set(filled_tables.values())
        bands.append(
            band(
                [Point(sum(rows[id] for id in tables), times[n]) for rows, times in found],
                sum(live[id].rows for id in tables),
                work=work_of(statement.sql, seen),
                grows=bool(whole),
            )
        )
    return tuple(bands)


def _at_scales(
    shadow: Shadow,
    start: Url,
    before: Snapshot,
    after: Later | None,
    up: Sequence[Statement],
    down: Sequence[Statement],
    live: Mapping[ObjectId, Size],
    varied: bool,
    role: str,
    top: int,
    budget: float,
    told: Callable[[str], None],
) -> tuple[list[Times], tuple[str, ...]]:
    """What was timed, scale by scale, and what is to be said about it; nothing when the largest table could not be filled."""
    began = time.monotonic()
    found: list[Times] = []
    notes: tuple[str, ...] = ()
    most = _rows(live)
    for share, rounds in zip(SCALES, ROUNDS, strict=True):
        if len(found) == 2 and 6 * (time.monotonic() - began) > budget:
            notes = (*notes, f"timed at two scales: a third would take longer than {budget:.0f} s")
            break
        part = share * min(top, most) / most
        told(f"weigh at {round(most * part):,} rows")
        with filled(shadow, start, before, live, part, varied=varied, after=after) as (database, rows, short):
            notes = short
            if sum(rows.values()) < most * part / 4:
                return [], short
            found.append(timed(shadow, database, rows, up, down, rounds, role))
    return found, notes


def with_bands(rehearsal: Rehearsal, weighed: Weighed) -> Rehearsal:
    """The rehearsal with what each of its statements would take on the target."""

    def told(measured: Sequence[Measured], bands: Sequence[Band | None]) -> tuple[Measured, ...]:
        return tuple(
            replace(one, on_live=bands[n] if n < len(bands) else None) for n, one in enumerate(measured)
        )

    return replace(
        rehearsal,
        measured_up=told(rehearsal.measured_up, weighed.up),
        measured_down=told(rehearsal.measured_down, weighed.down),
        unweighed=weighed.unweighed,
    )


def timed(
    shadow: Shadow,
    database: Url,
    rows: Mapping[ObjectId, int],
    up: Sequence[Statement],
    down: Sequence[Statement],
    rounds: int,
    role: str = "",
) -> Times:
    """UP and DOWN on fresh copies of a filled database. Raises what the first statement that fails raises."""
    there: list[list[float]] = []
    back: list[list[float]] = []
    for _ in range(rounds):
        with shadow.copy(database) as copy:
            there.append(_seconds(copy, up, role))
            back.append(_seconds(copy, down, role))
    return Times(rows, tuple(zip(*there, strict=True)), tuple(zip(*back, strict=True)))


def _seconds(database: Url, statements: Sequence[Statement], role: str) -> list[float]:
    with connect(database) as connection:
        return [outcome.seconds for outcome in trial.run(connection, statements, role=role)]


def _rows(live: Mapping[ObjectId, Size]) -> int:
    """The rows of all tables together: a partitioned one has them in its partitions."""
    return sum(size.rows for id, size in live.items() if id.kind == "table")


def _after(shadow: Shadow, start: Url, up: Sequence[Statement], role: str) -> Later | None:
    """What the rows will have to keep; None where the UP does not run without rows."""
    with shadow.copy(start) as copy:
        try:
            _seconds(copy, up, role)
            return later(copy)
        except (ReconcilerError, psycopg.Error):
            return None


def _said(error: Exception) -> str:
    """The error without the statement, which may be a page long."""
    text = error.what if isinstance(error, ReconcilerError) else str(error)
    return text.split(", in: ")[0].splitlines()[0]
