"""How long a plan would take on the target's row counts: timed on the shadow at three scales, told as a band.

The tables that the plan touches are filled with made-up rows, each scale holding four times as many as the one before; UP and DOWN run
on fresh copies of that. A plan that touches no table of 10,000 rows or more is not timed: it is over at once. Promises never a point,
and nothing about what it could not fill or run: that is said in `Weighed.unweighed`. Knows nothing of the target's disks, of what
else runs there, nor of waiting for locks: the band is that of an idle machine like the shadow's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import ReconcilerError
from reconciler.model import Band, Measured, ObjectId, Rehearsal, Size, Snapshot, Statement
from reconciler.pg import Url, connect, ident
from reconciler.run.nature import head
from reconciler.shadow import seed_tables, trial
from reconciler.shadow.band import Point, Work, band, over_at_once
from reconciler.shadow.multiply import multiply
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.seed import seed, without_triggers

SMALL = 10_000
"""Below this many rows a table is not worth the time."""
TOP = 50_000
"""About as many rows as the largest table gets at the largest scale."""
_SCALES = (1 / 16, 1 / 4, 1.0)
_ROUNDS = (2, 2, 3)
"""How often UP and DOWN are timed at each scale: the median counts."""
_CHANGES = re.compile(r"(update|insert|delete|merge|do|with|call)\b", re.IGNORECASE)
_BUILDS = re.compile(r"\b(unique|primary\s+key|exclude|index|using|type)\b", re.IGNORECASE)
_LOOKS_UP = re.compile(r"\b(foreign\s+key|references)\b", re.IGNORECASE)
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
    most = max((size.rows for id, size in live.items() if id.kind == "table"), default=0)
    if most < SMALL:
        return Weighed(unweighed=(f"not timed at several scales: no table it touches has {SMALL:,} rows",))
    if not _grows(up, down, rehearsal, live):
        at_once = [
            tuple(over_at_once(one.seconds) for one in each)
            for each in (rehearsal.measured_up, rehearsal.measured_down)
        ]
        return Weighed(at_once[0], at_once[1])
    failed = ""
    for varied in (True, False):
        # Varied values make an index or a sort as dear as real ones do, but a cast may not take them.
        try:
            found, notes = _at_scales(shadow, start, before, up, down, live, varied, role, top, budget, told)
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


def _grows(
    up: Sequence[Statement], down: Sequence[Statement], rehearsal: Rehearsal, live: Mapping[ObjectId, Size]
) -> bool:
    """Whether any statement may take longer on more rows: it read or wrote whole tables, or changes rows, or there were no rows to
    see it by. A policy or a grant on the largest table does not."""
    if any(str(id) not in rehearsal.seeded for id in live if id.kind == "table"):
        return True
    names = {f"{id.schema}.{id.name}" for id in live}
    measured = (*rehearsal.measured_up, *rehearsal.measured_down)
    return any(not names.isdisjoint((*one.rewrites, *one.scans)) for one in measured) or any(
        _CHANGES.match(head(one.sql)) for one in (*up, *down)
    )


def _bands(
    found: Sequence[tuple[Mapping[ObjectId, int], tuple[tuple[float, ...], ...]]],
    statements: Sequence[Statement],
    measured: Sequence[Measured],
    live: Mapping[ObjectId, Size],
) -> tuple[Band | None, ...]:
    """A statement grows with the largest table that it touches; one that touches none, with the largest of all."""
    bands = []
    filled_tables = {f"{id.schema}.{id.name}": id for id in found[0][0] if id in live}
    for n, statement in enumerate(statements):
        seen = measured[n] if n < len(measured) else Measured()
        whole = {filled_tables[name] for name in (*seen.rewrites, *seen.scans) if name in filled_tables}
        locked = {filled_tables[one.relation] for one in seen.locks if one.relation in filled_tables}
        table = max(whole or locked or filled_tables.values(), key=lambda id: live[id].rows)
        bands.append(
            band(
                [Point(rows[table], times[n]) for rows, times in found],
                live[table].rows,
                work=work_of(statement.sql, seen),
                grows=bool(whole),
            )
        )
    return tuple(bands)


def work_of(sql: str, seen: Measured) -> Work:
    """What a statement that touches whole tables does with their rows."""
    if _LOOKS_UP.search(sql) or any(lock.mode == "RowShareLock" for lock in seen.locks):
        return "looks up"
    if _CHANGES.match(head(sql)):
        return "changes"
    only_reads = not seen.rewrites and not _BUILDS.search(sql) and head(sql)[:6].lower() == "alter "
    return "reads" if only_reads else "builds"


def _at_scales(
    shadow: Shadow,
    start: Url,
    before: Snapshot,
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
    largest = max((id for id in live if id.kind == "table"), key=lambda id: live[id].rows)
    most = live[largest].rows
    for share, rounds in zip(_SCALES, _ROUNDS, strict=True):
        if len(found) == 2 and 6 * (time.monotonic() - began) > budget:
            notes = (*notes, f"timed at two scales: a third would take longer than {budget:.0f} s")
            break
        part = share * min(top, most) / most
        told(f"weigh at {round(most * part):,} rows")
        with filled(shadow, start, before, live, part, varied=varied) as (database, rows, short):
            notes = short
            if rows.get(largest, 0) < most * part / 4:
                return [], short or (f"not timed at several scales: {largest} cannot be filled",)
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


@contextmanager
def filled(
    shadow: Shadow,
    start: Url,
    before: Snapshot,
    live: Mapping[ObjectId, Size],
    part: float,
    *,
    varied: bool = True,
) -> Iterator[tuple[Url, Mapping[ObjectId, int], tuple[str, ...]]]:
    """A copy of `start` with this part of the target's rows: the database, the rows of each table, what is missing."""
    with shadow.copy(start) as database:
        with connect(database) as connection:
            with connection.transaction(), without_triggers(connection):
                tables_wanted = [id for id in live if id.kind == "table"]
                planted = seed(connection, before, only=tables_wanted)
                connection.execute("set local statement_timeout to '2min'")
                tables = seed_tables.read(connection)
                ids = {oid: ObjectId("table", t.schema, t.name) for oid, t in tables.tables.items()}
                asked = {oid: max(1, round(live[id].rows * part)) for oid, id in ids.items() if id in live}
                widths = {
                    oid: live[ids[oid]].bytes // max(live[ids[oid]].rows, 1)
                    - _width(connection, tables.tables[oid])
                    for oid in asked
                }
                grown = multiply(connection, tables, asked, widths, varied=varied)
            for id in live:
                if id.kind == "materialized_view":
                    connection.execute(f"refresh materialized view {ident(id.schema, id.name)}".encode())
            names = ", ".join(ident(id.schema, id.name) for id in live)
            connection.execute(f"vacuum analyze {names}".encode())
            connection.execute("checkpoint")
        rows = {ids[oid]: count for oid, count in grown.rows.items()}
        yield database, rows, (*planted.failed, *grown.failed)


def _width(connection: psycopg.Connection[TupleRow], table: seed_tables.Table) -> int:
    """Bytes that one of the first rows takes on its page, with header and pointer (manual, "Database Page Layout")."""
    row = connection.execute(
        f"select coalesce(avg(pg_catalog.pg_column_size(x.*)), 0)::int from only {table.sql} as x".encode()
    ).fetchone()
    return int(row[0]) + 4 if row else 0


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


def touched_tables(before: Snapshot, measured: Iterable[Measured]) -> set[ObjectId]:
    """The tables and materialized views of the state before that a statement locks, rewrites or reads, and what those views read."""
    named = {
        name
        for one in measured
        for name in (*(lock.relation for lock in one.locks), *one.rewrites, *one.scans)
    }
    found = {
        fact.id
        for kind in ("table", "materialized_view")
        for fact in before.by_kind.get(kind, ())
        if f"{fact.id.schema}.{fact.id.name}" in named
    }
    todo = [id for id in found if id.kind == "materialized_view"]
    while todo:
        for need in before.edges.get(todo.pop(), ()):
            whole = need if not need.part else ObjectId("table", need.schema, need.name)
            if whole not in found and (whole.kind in ("table", "materialized_view", "view")):
                if whole.kind != "view" and whole in before.facts:
                    found.add(whole)
                todo += [whole] if whole.kind != "table" else []
    return found


def _said(error: Exception) -> str:
    return error.what if isinstance(error, ReconcilerError) else str(error).splitlines()[0]
