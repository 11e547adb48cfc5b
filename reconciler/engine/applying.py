"""Bringing migrations into a database, and taking them back.

What runs has been rehearsed on this very database's shadow, whoever made it; what is hazardous was allowed by a person; what
was there when it was planned is still there when it runs; and afterwards the database is read again. Nothing here decides by
itself that a difference does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.engine.desired import Trust
from reconciler.engine.planning import proposal
from reconciler.engine.work import Told, Work, looked, opened
from reconciler.errors import Stalled, Usage, Waiting
from reconciler.migrate import Progress
from reconciler.model import Applied, Change, Hazard, HazardCode, Migration, ObjectId, Snapshot, Statement
from reconciler.pg import Url, connect, ident
from reconciler.plan.complete import complete
from reconciler.run import run_step, steps
from reconciler.settings import Database
from reconciler.shadow.rehearse import Expected, rehearse

NEEDS_CONSENT = frozenset(
    {
        HazardCode.DELETES_DATA, HazardCode.LOSSY_CAST, HazardCode.WEAKENS_ISOLATION, HazardCode.REVOKES_ACCESS,
        HazardCode.IRREVERSIBLE,
    }
)  # fmt: skip
"""Hazards a person has to allow. The others are told: they cost time, or make the statement fail and change nothing."""


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """A migration tried on this database's shadow: the states it leads between, and what a person must know."""

    migration: Migration
    before: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]
    hazards: tuple[Hazard, ...]


def apply(
    database: Database,
    versions: Sequence[str] = (),
    *,
    allow: Collection[str] = frozenset(),
    destroy: bool = False,
    trust: Trust = "reviewed",
    told: Told = lambda stage: None,
    on_statement: Callable[[Progress], None] = lambda progress: None,
    now: datetime | None = None,
    again: bool = True,
) -> tuple[Applied, ...]:
    """Applies the pending migration files, up to the given versions when there are any; without pending files, plans, writes the
    file and applies it. Returns what was applied; empty when nothing was to do.

    `again` permits a plan that was the last one applied already: a person repairs the same drift twice, a loop must not.
    `destroy` says that drops may destroy; until quarantine exists they always do, and DELETES_DATA must be allowed either way.
    Raises Stalled for a hazard that is not allowed, a rehearsal that failed, files that do not lead to the declared state.
    """
    look = looked(database, trust=trust, told=told)
    files = migrate.load_directory(database.migrations)
    pending = migrate.pending(look.history, files)
    _refuse_edited(look.history, files)
    if not pending and look.wanted is not None and not compare(look.live, look.wanted):
        return ()
    with opened(look, trust=trust, told=told) as work:
        _refuse_unmodelled(work)
        chosen = _chosen(versions, files, pending)
        if not chosen and versions:
            return ()
        if chosen:
            whole = len(chosen) == len(pending)
            rehearsed = _rehearsed_files(work, chosen, told, must_end_as_declared=whole)
        else:
            made = proposal(work, told=told, now=now)
            if made.migration is None:
                return ()
            _refuse_failed(
                made.rehearsal.passed if made.rehearsal else False,
                made.rehearsal.residue if made.rehearsal else (),
            )
            if not again:
                _refuse_repetition(work, made.migration)
            rehearsed = [
                _Rehearsed(made.migration, work.live, work.wanted, made.plan.changes, made.plan.hazards)
            ]
        _refuse_hazards((h for one in rehearsed for h in one.hazards), {*allow, *database.allow})
        if not chosen:
            migrate.write(rehearsed[0].migration, database.migrations)
        done = [_apply_one(work, one, on_statement, out_of_order=bool(versions)) for one in rehearsed]
        _confirm_convergence(work, rehearsed[-1].after)
        return tuple(done)


def rollback(
    database: Database,
    *,
    to: str | None = None,
    steps_back: int | None = None,
    allow: Collection[str] = frozenset(),
    told: Told = lambda stage: None,
    on_statement: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Applied, ...]:
    """Runs the DOWN of the newest applied migrations: all after version `to`, or `steps_back` of them (default 1).

    Each DOWN is rehearsed on this database's shadow first. Raises Stalled when there is nothing to take back, no DOWN, a
    hazard that is not allowed, or a rehearsal that fails.
    """
    look = looked(database, trust="reviewed", told=told)
    with opened(look, trust="reviewed", told=told) as work:
        files = {m.version: m for m in migrate.load_directory(database.migrations)}
        rows = migrate.latest(work.history)
        standing = sorted(
            (v for v, row in rows.items() if migrate.state_of(row) != "rolled back"), reverse=True
        )
        if to is not None:
            if to not in standing and to != "0":
                raise Usage(f"version {to} is not applied here", hint="reconciler history lists what is")
            chosen = [v for v in standing if v > to]
        else:
            chosen = standing[: steps_back or 1]
        if not chosen:
            raise Stalled(
                "nothing is applied that could be rolled back", hint="reconciler history lists what is"
            )
        found = []
        state, start = work.live, work.copy_of_live()
        for version in chosen:
            row, file = rows[version], files.get(version)
            migration = file if file is not None and file.checksum == row.checksum else migrate.restored(row)
            if not migration.down:
                raise Stalled(
                    f"migration {version} has no DOWN", hint="write a new migration that changes it back"
                )
            told(f"rehearse the DOWN of {version}")
            one = _tried(work, start, state, migration, migration.down, migration.up, told)
            found.append(one)
            state = one.after
        _refuse_hazards((h for one in found for h in one.hazards), {*allow, *database.allow})
        return tuple(_apply_one(work, one, on_statement, down=True) for one in found)


def _chosen(
    versions: Sequence[str], files: Sequence[Migration], pending: Sequence[Migration]
) -> list[Migration]:
    unknown = sorted(set(versions) - {m.version for m in files})
    if unknown:
        raise Usage(
            f"there is no migration {', '.join(unknown)}", hint="see the file names in the migrations folder"
        )
    return [m for m in pending if not versions or m.version in versions]


def _rehearsed_files(
    work: Work, files: Iterable[Migration], told: Told, *, must_end_as_declared: bool
) -> list[_Rehearsed]:
    """Every file up, up, down, down, up on a copy of this database, one after another."""
    found = []
    rows = migrate.latest(work.history)
    state, start = work.live, work.copy_of_live()
    for migration in files:
        told(f"rehearse {migration.filename}")
        # What an interrupted run left behind is neither before nor after: from there only the way forward can be tried.
        halfway = migration.version in rows and migrate.state_of(rows[migration.version]).startswith("partly")
        one = _tried(work, start, state, migration, migration.up, () if halfway else migration.down, told)
        found.append(one)
        state = one.after
    if must_end_as_declared and found:
        differences = residue(state, work.wanted)
        if differences:
            raise Stalled(
                f"after the last migration, {found[-1].migration.filename}, the database would not be as declared:"
                f" {'; '.join(differences[:5])}",
                hint="declare what the migration does, or let reconciler plan write the missing part",
            )
    return found


def _tried(
    work: Work,
    start: Url,
    state: Snapshot,
    migration: Migration,
    there: Sequence[Statement],
    back: Sequence[Statement],
    told: Told,
) -> _Rehearsed:
    """Rehearses on a copy of `start`, and leaves `start` where the migration leads."""
    role = work.role if work.shadow.own else ""
    template = work.shadow.create(template=start)
    with connect(start) as connection:
        if role:
            connection.execute(f"set session authorization {ident(role)}")
        for step in steps(there):
            run_step(connection, step, lock_timeout="10s", statement_timeout="10min")
    with connect(start) as connection:
        after = catalog.read(connection, work.scope)
    if back:
        rehearsal = rehearse(template, there, back, Expected(state, after, work.scope), role=role, told=told)
        if not rehearsal.passed:
            with work.shadow.copy(template) as again:
                bare = rehearse(
                    again, there, back, Expected(state, after, work.scope), role=role, seeded=False, told=told
                )
            rehearsal = bare if bare.passed else rehearsal
        _refuse_failed(rehearsal.passed, rehearsal.residue, migration.filename)
    work.shadow.drop(template)
    changes = compare(state, after)
    return _Rehearsed(migration, state, after, changes, _hazards(state, after, there))


def _hazards(before: Snapshot, after: Snapshot, statements: Sequence[Statement]) -> tuple[Hazard, ...]:
    """What the statements say of themselves, and what the kinds say of the same change: a person's SQL says nothing."""
    found = [hazard for statement in statements for hazard in statement.hazards]
    try:
        own = complete(Context(before, after))
    except Unplannable:
        own = ()
    found += [hazard for statement in own for hazard in statement.hazards]
    return tuple(dict.fromkeys(found))


def _apply_one(
    work: Work,
    one: _Rehearsed,
    on_statement: Callable[[Progress], None],
    *,
    down: bool = False,
    out_of_order: bool = False,
) -> Applied:
    touched = {change.id for change in one.changes}
    reads = _closure(touched, one.before, _parents(one.before, one.after))
    run = migrate.rollback if down else migrate.apply
    migration = one.migration
    if not down:
        migration = replace(migration, before=one.before.fingerprint, after=one.after.fingerprint)
    stale = Waiting("the database changed since it was planned", hint="run the same command again")
    strange = Stalled(
        "the database is not as rehearsed after the last statement; everything was rolled back",
        hint="reconciler plan",
    )
    return run(
        work.url,
        migration,
        lock_timeout=str(work.database.lock_timeout),
        statement_timeout=str(work.database.statement_timeout),
        expected_before=_expect(work, one.before, reads, stale),
        confirm=_expect(work, one.after, touched, strange),
        on_progress=on_statement,
        changes=one.changes,
        out_of_order=out_of_order,
    )


def _expect(
    work: Work, state: Snapshot, ids: Collection[ObjectId], refusal: Exception
) -> Callable[[psycopg.Connection[Any]], None]:
    """A check, inside the transaction that applies, that these objects are as in `state`."""

    def check(connection: psycopg.Connection[Any]) -> None:
        now = catalog.read(connection, work.scope, depth="digests")
        if any(now.digests.get(id) != state.digests.get(id) for id in ids):
            raise refusal

    return check


def _closure(ids: Iterable[ObjectId], state: Snapshot, parents: Mapping[ObjectId, ObjectId]) -> set[ObjectId]:
    """What a plan about these objects has read: the objects, what they are part of with all its parts, and what those need."""
    found: set[ObjectId] = set()
    todo = list(ids)
    for id in ids:
        whole = parents.get(id, id)
        todo += [whole, *(part.id for part in state.children.get(whole, ()))]
    while todo:
        id = todo.pop()
        if id not in found:
            found.add(id)
            todo += state.edges.get(id, ())
    return found


def _parents(*sides: Snapshot) -> dict[ObjectId, ObjectId]:
    return {id: fact.parent for side in sides for id, fact in side.facts.items() if fact.parent is not None}


def _confirm_convergence(work: Work, wanted: Snapshot) -> None:
    """What was applied is read back. Undeclared objects that appeared meanwhile are not our doing."""
    with connect(work.url) as live:
        now = catalog.read(live, work.scope)
    differences = residue(now, wanted)
    if differences:
        raise Stalled(
            f"applied, but the database is not as planned: {'; '.join(differences[:5])}",
            hint="reconciler drift shows the difference; somebody else may be changing the schema",
        )


def _refuse_unmodelled(work: Work) -> None:
    strange = sorted({*work.wanted.unmodelled})
    if strange:
        raise Stalled(
            f"the declarations hold objects this program cannot compare: {', '.join(strange[:5])}",
            hint="take them out of the declarations and manage them by hand",
        )


def _refuse_failed(passed: bool, residues: Sequence[str], what: str = "the plan") -> None:
    if not passed:
        raise Stalled(
            f"the rehearsal of {what} failed: {'; '.join(residues[:5]) or 'it was not rehearsed'}",
            hint="nothing was changed; reconciler plan shows every statement",
        )


def _refuse_repetition(work: Work, migration: Migration) -> None:
    """The same plan twice in a row means that the last one did not hold: going on would never end."""
    done = [row for row in work.history if row.finished_at]
    if done and done[-1].direction == "up":
        last = migrate.restored(done[-1])
        if [s.sql for s in last.up] == [s.sql for s in migration.up]:
            raise Stalled(
                f"the same plan was applied as {done[-1].version} and is due again: something undoes it",
                hint="reconciler drift shows what; look for a job, an extension or a person that changes it back",
            )


def _refuse_edited(history: Sequence[Applied], files: Sequence[Migration]) -> None:
    edited = migrate.edited(history, files)
    if edited:
        raise Stalled(
            f"{edited[0].filename} was edited after it was applied",
            hint=f"restore the file (reconciler show {edited[0].version} prints what ran), or write a new migration",
        )


def _refuse_hazards(hazards: Iterable[Hazard], allowed: Collection[str]) -> None:
    if "all" in allowed:
        return
    refused = [h for h in dict.fromkeys(hazards) if h.code in NEEDS_CONSENT and h.code not in allowed]
    if refused:
        codes = ",".join(sorted({hazard.code for hazard in refused}))
        lines = "".join(f"\n  {hazard.code}: {hazard.consequence}" for hazard in refused)
        raise Stalled(
            f"this needs a person's consent:{lines}",
            hint=f"when that is what you want: --allow {codes}   (reconciler explain {refused[0].code})",
        )
