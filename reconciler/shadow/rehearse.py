"""A plan tried on a shadow copy: up, up again, down, down again, and up once more, with rows that must survive.

Promises that a passed rehearsal means: every stage ran without an error, each ended exactly at the state it had to, and the
rows that both states can hold were the same, byte for byte, after up and down. Says nothing about tables it could not
seed, nor about time on production's row counts. Never repairs anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import residue
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.errors import ReconcilerError
from reconciler.model import Measured, ObjectId, Rehearsal, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.shadow import rows, trial
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.seed import Seeded, seed

Told = Callable[[str], None]
"""Is told the name of each stage as it begins, for progress."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The two states between which a rehearsal moves, as facts; `moved` says what `after` calls differently (before → after)."""

    before: Snapshot
    after: Snapshot
    scope: Scope = EVERYTHING
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)


def rehearsed(
    shadow: Shadow,
    start: Url,
    up: Sequence[Statement],
    down: Sequence[Statement],
    expected: Expected,
    *,
    role: str = "",
    doubtful: bool = True,
    keeps: bool = False,
    told: Told = lambda stage: None,
) -> Rehearsal:
    """Rehearses on copies of `start`: with made-up rows, and where that fails and is `doubtful` without.

    Made-up rows can break a new constraint that the real ones keep. Without them the schema can still be rehearsed; what the
    real rows say is asked on the target before anything runs. The rehearsal says so in `unseeded`. `keeps` says that what is
    dropped must come back with its rows.
    """
    with shadow.copy(start) as copy:
        found = rehearse(copy, up, down, expected, role=role, keeps=keeps, told=told)
    if found.passed or not doubtful or not found.seeded:
        return found
    with shadow.copy(start) as copy:
        bare = rehearse(copy, up, down, expected, role=role, seeded=False, keeps=keeps, told=told)
    if not bare.passed:
        return found
    why = f"rehearsed without made-up rows, because with them: {'; '.join(found.residue[:1])}"
    return replace(bare, unseeded=(why,))


def rehearse(
    database: Url,
    up: Sequence[Statement],
    down: Sequence[Statement],
    expected: Expected,
    *,
    role: str = "",
    seeded: bool = True,
    keeps: bool = False,
    told: Told = lambda stage: None,
) -> Rehearsal:
    """Runs the five stages on `database`, a scratch copy of the state before, which is used up by it.

    `database` is reached as a superuser; `role`, when given, is the one that will apply the plan for real, and everything runs
    with its rights. Returns what happened; raises only when the shadow itself fails.
    """
    began = time.monotonic()
    choose = rows.kept_columns if keeps else rows.common_columns
    watched = choose(expected.before, expected.after, expected.moved)
    everything = rows.stored_columns(expected.before)
    planted = _plant(database, expected.before) if seeded else Seeded((), ())
    with connect(database) as side:
        at_first = rows.hashed(side, everything)
        common = rows.hashed(side, watched)
    result = Rehearsal(seeded=tuple(str(t) for t in planted.tables), unseeded=planted.failed)
    had_rows = {table for table, (count, _) in at_first.items() if count}
    stages = (
        ("up", up, expected.after),
        ("up_again", up, expected.after),
        ("down", down, expected.before),
        ("down_again", down, expected.before),
        ("reup", up, expected.after),
    )
    for stage, statements, wanted in stages:
        told(stage)
        measure = stage in ("up", "down")
        try:
            outcomes = _run(database, statements, role, measure)
        except ReconcilerError as error:
            failed: dict[str, Any] = {stage: False}
            return replace(
                result, **failed, residue=(f"{stage}: {error.what}",), seconds=time.monotonic() - began
            )
        if measure:
            measured: dict[str, Any] = {f"measured_{stage}": outcomes}
            result = replace(result, **measured)
        with connect(database) as side:
            wrong = []
            if catalog.fingerprint(side, expected.scope) != wanted.fingerprint:
                got = catalog.read(side, expected.scope)
                wrong = [f"after {stage}: {sentence}" for sentence in residue(got, wanted)]
            if not wrong and stage == "down" and had_rows:
                result = replace(result, rows_kept=not rows.lost(at_first, rows.hashed(side, everything)))
                wrong += [
                    f"after {stage}: {sentence}" for sentence in rows.lost(common, rows.hashed(side, watched))
                ]
        reached: dict[str, Any] = {stage: not wrong}
        result = replace(result, **reached)
        if wrong:
            return replace(result, residue=tuple(wrong), seconds=time.monotonic() - began)
    return replace(result, seconds=time.monotonic() - began)


def _plant(database: Url, before: Snapshot) -> Seeded:
    with connect(database) as connection:
        return seed(connection, before)


def _run(database: Url, statements: Sequence[Statement], role: str, measure: bool) -> tuple[Measured, ...]:
    with connect(database) as connection:
        outcomes = trial.run(
            connection,
            statements,
            role=role,
            measure=measure,
            side=(lambda: connect(database)) if measure else None,
        )
    return tuple(outcome.measured or Measured(seconds=outcome.seconds) for outcome in outcomes)
