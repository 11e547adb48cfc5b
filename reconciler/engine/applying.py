"""Bringing migrations into a database, and taking them back.

What runs has been rehearsed on this very database's shadow, whoever made it; what is hazardous was allowed by a person; what
was there when it was planned is still there when it runs; and afterwards the database is read again. Nothing here decides by
itself that a difference does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler import migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare, residue
from reconciler.engine import leftovers, proposals
from reconciler.engine.consent import Given, client, refuse_hazards, unallowed
from reconciler.engine.desired import Trust
from reconciler.engine.landing import Warrant, land
from reconciler.engine.phases import in_phases, phased
from reconciler.engine.planning import proposal
from reconciler.engine.preflight import preflight
from reconciler.engine.refusals import (
    refuse_edited,
    refuse_failed,
    refuse_lacking,
    refuse_repetition,
    refuse_unmodelled,
)
from reconciler.engine.trying import Rehearsed, rehearsed_files, together, tried
from reconciler.engine.work import Look, Told, Work, looked, opened
from reconciler.errors import Stalled, Usage
from reconciler.migrate import Progress
from reconciler.model import Applied, Form, Migration, Rehearsal, Snapshot
from reconciler.pg import connect
from reconciler.run import Pace
from reconciler.run.stop import Stop
from reconciler.settings import Database

_PATIENCE = Pace(attempts=100, seconds=20.0, first=0.25, longest=2.0)
"""How long an old transaction is waited for before anything begins."""


def apply(
    database: Database,
    versions: Sequence[str] = (),
    *,
    allow: Collection[str] = frozenset(),
    destroy: bool = False,
    trust: Trust = "reviewed",
    told: Told = lambda stage: None,
    on_statement: Callable[[Progress], None] = lambda progress: None,
    on_note: Callable[[str], None] = lambda note: None,
    stop: Stop | None = None,
    now: datetime | None = None,
    again: bool = True,
    asked: bool = False,
    warrant: Warrant | None = None,
    hold: Callable[[], bool] = lambda: False,
) -> tuple[Applied, ...]:
    """Applies the pending migration files, up to the given versions when there are any; without pending files, plans, writes the
    file and applies it. Returns what was applied; empty when nothing was to do.

    `again` permits a plan that was applied before again and again: a person repairs the same drift as often as they like, a loop must not
    unless somebody `asked` it to.
    A plan made here keeps what it drops, unless `destroy` says that drops may destroy; DELETES_DATA must be allowed either way.
    `warrant` is by what right a process applies that is one of several.
    `on_note` is told what does not forbid the run and a person should know; `stop` is asked before each statement, and `hold` before
    anything is written and before each further migration: where it says yes, what comes then is left for another time.
    Raises Stalled for a hazard that is not allowed, a rehearsal that failed, files that do not lead to the declared state, and rows
    that would break what is to be added.
    """
    look = looked(database, trust=trust, told=told)
    found = migrate.load_directory(database.migrations)
    files = (*found, *_unfinished(look.history, found))
    # What the loop itself proposed is made anew: it may lead nowhere by now.
    approved = {} if again else _approvals(look)
    olds = () if again else proposals.own(files, look.history, approved)
    pending = [one for one in migrate.pending(look.history, files) if one not in olds]
    refuse_edited(look.history, files)
    if not pending and look.wanted is not None and not compare(look.live, look.wanted):
        return ()
    with opened(look, trust=trust, told=told) as work:
        refuse_unmodelled(work.wanted)
        chosen = _chosen(versions, files, pending)
        if not chosen and versions:
            return ()
        if chosen:
            whole = len(chosen) == len(pending)
            rehearsed = rehearsed_files(work, chosen, told, must_end_as_declared=whole)
        else:
            # A column that is removed may be NULL for one cycle, unless somebody says otherwise.
            slowly = in_phases(database, allow) and not destroy
            form: Form = "plain" if destroy else "quarantine"
            made = proposal(phased(work) if slowly else work, told=told, now=now, form=form)
            if made.migration is None:
                return ()
            tested = made.rehearsal or Rehearsal()
            refuse_failed(tested.passed, tested.residue, live=work.live, role=work.role)
            migration = made.migration
            if not again and not asked:
                refuse_repetition(work.history, migration)
            if not again:
                migration = proposals.again(migration, olds, work.history, approved)
            rehearsed = [
                Rehearsed(
                    migration,
                    made.before,
                    made.after,
                    made.plan.changes,
                    made.plan.hazards,
                    made.moved,
                    tested.measured_up,
                    made.lacking,
                )
            ]
        for left in look.left:
            on_note(leftovers.sentence(left))
        given = _given(work, allow)
        if not chosen and not again and unallowed(rehearsed[0].hazards, given.codes(rehearsed[0].migration)):
            # Nobody is there to allow it now: the file can be approved, and the next pass finds it.
            proposals.filed(database, rehearsed[0].migration, olds)
        filed = bool(chosen) or not again
        refuse_hazards(((one.migration, one.hazards) for one in rehearsed), given, filed=filed)
        for one in rehearsed:
            refuse_lacking(one.lacking, one.migration.filename)
        _ask(work, rehearsed, given, told, on_note, stop)
        if hold():
            return ()
        if not chosen and again:
            migrate.write(rehearsed[0].migration, database.migrations)
        done: list[Applied] = []
        for one in rehearsed:
            if done:
                _ask(work, [one], given, told, on_note, stop)
                if hold():
                    return tuple(done)
            _clear(work, look, one, on_note)
            done.append(
                land(
                    work,
                    one,
                    given,
                    on_statement,
                    on_note,
                    stop,
                    out_of_order=bool(versions),
                    warrant=warrant,
                )
            )
        if not chosen and not again:
            # Not before: another process may have been quicker, and the file would lead nowhere. The history holds it already.
            proposals.filed(database, rehearsed[0].migration, olds)
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
    on_note: Callable[[str], None] = lambda note: None,
    stop: Stop | None = None,
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
        if not chosen and to is not None:
            return ()  # the same command again, after it was interrupted at its very end
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
            # From what an interrupted run left, UP does not lead back: only the way on can be tried.
            back = () if migrate.state_of(row).startswith("partly") else migration.up
            one = tried(work, start, state, migration, migration.down, back, told)
            found.append(one)
            state = one.after
        given = _given(work, allow)
        refuse_hazards(((one.migration, one.hazards) for one in found), given, down=True)
        _ask(work, found, given, told, on_note, stop, down=True)
        done = []
        for one in found:
            _clear(work, look, one, on_note)
            done.append(land(work, one, given, on_statement, on_note, stop, down=True))
        return tuple(done)


def _clear(work: Work, look: Look, one: Rehearsed, on_note: Callable[[str], None]) -> None:
    """Drops what an interrupted build left of the indexes that come now."""
    coming = {change.id for change in one.changes}
    for id in leftovers.cleared(work.url, look.left, coming, lock_timeout=str(work.database.lock_timeout)):
        on_note(f"index {id}, left invalid by an interrupted build, was dropped and is built again")


def _unfinished(history: Sequence[Applied], files: Sequence[Migration]) -> tuple[Migration, ...]:
    """What another process began, in a folder of its own, and did not finish: the history holds all of it."""
    known = {one.version for one in files}
    return tuple(
        migrate.restored(row)
        for version, row in sorted(migrate.latest(history).items())
        if version not in known and migrate.state_of(row) == "partly applied"
    )


def _approvals(look: Look) -> dict[str, migrate.Approval]:
    with connect(look.url) as live:
        return migrate.approvals(live)


def _given(work: Work, allow: Collection[str]) -> Given:
    """What is allowed on this database, and by whom. The configuration holds what was typed, too."""
    typed = frozenset({*allow, *work.database.typed})
    with connect(work.url) as live:
        approved = migrate.approvals(live)
    configured = frozenset(work.database.allow) - frozenset(work.database.typed)
    return Given(typed, configured, approved, f"{client()}, role {work.role}")


def _ask(
    work: Work,
    ones: Sequence[Rehearsed],
    given: Given,
    told: Told,
    on_note: Callable[[str], None],
    stop: Stop | None,
    *,
    down: bool = False,
) -> None:
    """Raises when the live database forbids what all of these lead to together."""
    told("ask the live database")
    allowed = frozenset.intersection(*(given.codes(one.migration, down=down) for one in ones))
    said = work.declarations
    preflight(
        work.url,
        together(ones, said.downs if down else said.fills, down=down),
        said.places,
        [one for each in ones for one in each.measured],
        allowed=allowed,
        limit=work.database.preflight_timeout.seconds,
        lock_limit=str(work.database.lock_timeout),
        on_note=on_note,
        pace=replace(_PATIENCE, sleep=stop.sleep) if stop else _PATIENCE,
    )


def _chosen(
    versions: Sequence[str], files: Sequence[Migration], pending: Sequence[Migration]
) -> list[Migration]:
    unknown = sorted(set(versions) - {m.version for m in files})
    if unknown:
        raise Usage(
            f"there is no migration {', '.join(unknown)}", hint="see the file names in the migrations folder"
        )
    return [m for m in pending if not versions or m.version in versions]


def _confirm_convergence(work: Work, wanted: Snapshot) -> None:
    """What was applied is read back. Undeclared objects that appeared meanwhile are not our doing."""
    with connect(work.url) as live:
        now, _ = leftovers.without(catalog.read(live, work.scope))
    differences = residue(now, wanted)
    if differences:
        raise Stalled(
            f"applied, but the database is not as planned: {'; '.join(differences[:5])}",
            hint="reconciler drift shows the difference; somebody else may be changing the schema",
        )
