"""Migrations tried on this database's own shadow before they may touch it, whoever made them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.addresses import addresses
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.catalog.scope import OUR_COLUMNS
from reconciler.engine import gate
from reconciler.engine.phases import phased
from reconciler.engine.refusals import refuse_failed
from reconciler.engine.work import Told, Work
from reconciler.errors import Stalled
from reconciler.model import Change, Hazard, Measured, Migration, ObjectId, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan import quarantine
from reconciler.plan.complete import complete
from reconciler.plan.doubts import Doubted
from reconciler.plan.guard import guarded, lacking
from reconciler.plan.relabel import moved_between, relabelled, rename_changes
from reconciler.shadow import trial
from reconciler.shadow.rehearse import Expected, rehearsed
from reconciler.shadow.weigh import weigh, with_bands


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A migration tried on this database's shadow: the states it leads between, and what a person must know. `moved` are objects
    that have another name afterwards (before → after). `measured` is what the statements did in the rehearsal, `lacking` what a
    guarded table would ask for and is not there."""

    migration: Migration
    before: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]
    hazards: tuple[Hazard, ...]
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    lacking: tuple[str, ...] = ()


def rehearsed_files(
    work: Work, files: Iterable[Migration], told: Told, *, must_end_as_declared: bool
) -> list[Rehearsed]:
    """Every file up, up, down, down, up on a copy of this database, one after another."""
    found = []
    rows = migrate.latest(work.history)
    state, start = work.live, work.copy_of_live()
    for migration in files:
        told(f"rehearse {migration.filename}")
        # What an interrupted run left behind is neither before nor after: from there only the way forward can be tried.
        halfway = migration.version in rows and migrate.state_of(rows[migration.version]).startswith("partly")
        back = () if halfway else migration.down
        one = tried(work, start, state, migration, migration.up, back, told, gated=True)
        found.append(one)
        state = one.after
    if must_end_as_declared and found:
        differences = residue(state, work.wanted)
        if differences and residue(state, phased(work).wanted):
            raise Stalled(
                f"after the last migration, {found[-1].migration.filename}, the database would not be as declared:"
                f" {'; '.join(differences[:5])}",
                hint="declare what the migration does, or let reconciler plan write the missing part"
                + _other(work),
            )
    return found


def _other(work: Work) -> str:
    """What to think of where files wait for a database that knows none."""
    if work.history:
        return ""
    return (
        f"; nothing was ever applied to this database: where the files of {work.database.migrations} were made for another one, or for what it"
        " was before it was made anew, move them away, and what is missing is planned from what is declared"
    )


def tried(
    work: Work,
    start: Url,
    state: Snapshot,
    migration: Migration,
    there: Sequence[Statement],
    back: Sequence[Statement],
    told: Told,
    *,
    gated: bool = False,
) -> Rehearsed:
    """Rehearses on a copy of `start`, and leaves `start` where the migration leads. Where it is `gated`, findings of the audit that it adds
    are hazards."""
    role = work.role if work.shadow.own else ""
    template = work.shadow.create(template=start)
    with connect(start) as connection:
        then = addresses(connection, work.scope)
        trial.run(connection, there, role=role)
    with connect(start) as connection:
        after = catalog.read(connection, work.scope)
        moved = moved_between(then, addresses(connection, work.scope))
    added: tuple[Hazard, ...] = ()
    repairs = after.fingerprint == gate.left_at(work.history)
    if gated and not repairs and any(id.schema for id in state.digests):
        added = gate.hazards(
            gate.added(
                work.shadow,
                template,
                start,
                work.database,
                work.scope,
                seen=(state, after),
                moved=moved,
                told=told,
            )
        )
    measured: tuple[Measured, ...] = ()
    lacks: tuple[str, ...] = ()
    if back:
        expected = Expected(state, after, work.scope, moved)
        keeps = any("reconciler_quarantine." in s.sql for s in (*there, *back))
        rehearsal = rehearsed(work.shadow, template, there, back, expected, role=role, keeps=keeps, told=told)
        refuse_failed(rehearsal.passed, rehearsal.residue, migration.filename, state, work.role)
        measured = rehearsal.measured_up
        limit = work.database.guarded_rows
        if guarded(rehearsal, state, work.sizes, limit):
            rehearsal = with_bands(
                rehearsal,
                weigh(work.shadow, template, state, there, back, rehearsal, work.sizes, role=role, told=told),
            )
            lacks = lacking(there, back, rehearsal, state, work.sizes, limit)
    work.shadow.drop(template)
    seen = relabelled(state, moved, after)
    changes = (*rename_changes(moved), *compare(seen, after))
    hazards = tuple(dict.fromkeys((*_hazards(seen, after, there), *added)))
    return Rehearsed(migration, state, after, changes, hazards, moved, measured, lacks)


def _hazards(before: Snapshot, after: Snapshot, statements: Sequence[Statement]) -> tuple[Hazard, ...]:
    """What the statements say of themselves, and what the kinds say of the same change: a person's SQL says nothing."""
    found = [hazard for statement in statements for hazard in statement.hazards]
    try:
        own = complete(Context(before, after))
        if any("reconciler_quarantine." in statement.sql for statement in statements):
            own, _ = quarantine.kept(own, (), before, after)
    except Unplannable:
        own = ()
    found += [hazard for statement in own if not _ours(statement) for hazard in statement.hazards]
    return tuple(dict.fromkeys(found))


def _ours(statement: Statement) -> bool:
    """Whether it is about a column that an interrupted run made: the migration itself puts it in its place, or takes it away."""
    id = statement.subject
    return id is not None and id.kind == "column" and re.search(OUR_COLUMNS, id.part) is not None


def together(ones: Sequence[Rehearsed], fills: Mapping[ObjectId, str], *, down: bool) -> Doubted:
    """Several migrations, one after another, as one change of the state before the first."""
    first, last = ones[0], ones[-1]
    statements = tuple(
        statement for one in ones for statement in (one.migration.down if down else one.migration.up)
    )
    if first is last:
        return Doubted(first.before, first.after, first.changes, statements, first.moved, fills)
    moved = dict(first.moved)
    for one in ones[1:]:
        was = {now: then for then, now in moved.items()}
        moved |= {was.get(then, then): now for then, now in one.moved.items()}
    moved = {then: now for then, now in moved.items() if then != now}
    changes = (*rename_changes(moved), *compare(relabelled(first.before, moved, last.after), last.after))
    return Doubted(first.before, last.after, changes, statements, moved, fills)
