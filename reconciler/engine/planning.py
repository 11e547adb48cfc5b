"""A rehearsed plan for one database, from its declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from reconciler import __version__, migrate
from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare
from reconciler.catalog.scope import EVERYTHING
from reconciler.engine import gate, slicing
from reconciler.engine.copy import database_owner
from reconciler.engine.desired import Trust
from reconciler.engine.phases import phased
from reconciler.engine.preflight import Answers, ask_rows, refuse_rows
from reconciler.engine.unmoved import Settled, settled
from reconciler.engine.work import Told, Work, looked, opened, remember, with_extra
from reconciler.model import Finding, Form, Migration, ObjectId, Plan, Rehearsal, Snapshot
from reconciler.pg import Url, connect
from reconciler.plan.build import Bench, Renamed, build
from reconciler.plan.doubts import Doubted
from reconciler.plan.draft import VERSION as MIGRA
from reconciler.plan.guard import lacking
from reconciler.plan.rename import renames
from reconciler.settings import Database
from reconciler.shadow import trial
from reconciler.shadow.rehearse import Expected


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan for `database`, its rehearsal, and the migration it would become (None when nothing differs).

    `before` is the live state, `after` the declared one; `extra` are undeclared objects that are left alone. `moved` says what
    the objects are called afterwards that the plan renames. `rows` is what the rows of the database say to it now, and
    `lacking` what it would need before it may be applied to tables that are guarded for their size. `added` are findings of the audit that
    hold after it and not before.
    """

    database: str
    plan: Plan
    rehearsal: Rehearsal | None
    extra: tuple[ObjectId, ...]
    notes: tuple[str, ...]
    before: Snapshot
    after: Snapshot
    major: int
    migration: Migration | None = None
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)
    rows: Answers = field(default_factory=Answers)
    lacking: tuple[str, ...] = ()
    added: tuple[Finding, ...] = ()


_BRIEFLY = 5.0
"""Seconds for each question to the rows while planning: `apply` asks again, with the configured limit."""


def propose(
    database: Database,
    *,
    trust: Trust = "reviewed",
    told: Told = lambda stage: None,
    prove: bool = True,
    now: datetime | None = None,
    every_row: bool = True,
    phases: bool = False,
    form: Form = "quarantine",
    attacks: bool = False,
) -> Proposal:
    """Plans and rehearses; changes nothing on the target and writes no file. With `phases` a column that is removed stays for this
    time, and may be NULL. In the `form` "plain" drops destroy. With `attacks` the states before and after are attacked, not only read by rules.

    Raises Stalled when no plan is possible, or when only another declaration would do for the rows there are. What else they
    forbid now stands in `rows`; without `every_row` nobody asks them.
    """
    told("see whether anything moved")
    done = settled(database, trust=trust)
    if done is not None:
        return _nothing_to_do(database, done, prove)
    look = looked(database, trust=trust, told=told)
    if look.wanted is not None and not compare(look.live, look.wanted):
        return _nothing_to_do(database, remember(look, look.wanted, look.extra, trust), prove)
    with opened(look, trust=trust, told=told) as work:
        if not compare(work.live, work.wanted):
            return _nothing_to_do(database, remember(look, work.wanted, work.extra, trust), prove)
        made = proposal(
            phased(work) if phases else work, told=told, prove=prove, now=now, form=form, attacks=attacks
        )
        told("ask the rows")
        said = work.declarations
        plan = Doubted(made.before, made.after, made.plan.changes, made.plan.up, made.moved, said.fills)
        rows = ask_rows(
            work.url, plan, said.places, limit=min(_BRIEFLY, database.preflight_timeout.seconds),
            lock_limit=str(database.lock_timeout), chosen=lambda doubt: every_row or doubt.declaration,
        )  # fmt: skip
        refuse_rows(replace(rows, found=tuple(one for one in rows.found if one.doubt.declaration)))
        return replace(made, rows=rows)


def _nothing_to_do(database: Database, found: Settled, prove: bool) -> Proposal:
    plan = Plan(found.before.fingerprint, found.after.fingerprint, (), (), (), unmodelled=found.unmodelled)
    done = Rehearsal.of_nothing() if prove else None
    return Proposal(
        database.name,
        plan,
        done,
        found.extra,
        _notes(found.extra),
        found.before,
        found.after,
        found.before.major,
    )


def proposal(
    work: Work,
    *,
    told: Told,
    prove: bool = True,
    now: datetime | None = None,
    form: Form = "quarantine",
    attacks: bool = False,
) -> Proposal:
    """The same for a database that is open already."""
    work, renamed, plan, rehearsal, found = _planned(work, told, prove, form, attacks)
    if plan.after == gate.left_at(work.history):
        found = ()
    plan = gate.told_by(plan, found, work.live)
    moved = renamed.renames.moved if renamed else {}
    notes = _notes(work.extra)
    lacks: tuple[str, ...] = ()
    if prove and rehearsal.passed:
        lacks = lacking(
            plan.up, plan.down, rehearsal, work.live, work.sizes, work.database.limits.guarded_rows
        )
        notes = (*notes, *(f"before apply takes it, a guarded table asks for more: {one}" for one in lacks))
    migration = None
    if plan.up:
        existing = [m.version for m in migrate.load_directory(work.database.migrations)] + [
            a.version for a in work.history
        ]
        migration = migrate.compose(
            plan, rehearsal if prove else None, now=now or datetime.now(UTC), existing=existing,
            versions={"reconciler": __version__, "migra": MIGRA, "postgresql": str(work.shadow.major)},
        )  # fmt: skip
    return Proposal(
        work.database.name, plan, rehearsal if prove else None, work.extra, notes, work.live, work.wanted,
        work.shadow.major, migration, moved, lacking=lacks, added=found,
    )  # fmt: skip


def _planned(
    work: Work, told: Told, prove: bool, form: Form, attacks: bool
) -> tuple[Work, Renamed | None, Plan, Rehearsal, tuple[Finding, ...]]:
    """On a slice of a large database, where one can stand for the whole; else on a copy of everything."""
    role = work.role if work.shadow.own else ""
    fills, downs = work.declarations.fills, work.declarations.downs
    notes: tuple[str, ...] = ()
    found: list[Finding] = []

    def audited(bench: Bench, after: Snapshot) -> Bench:
        """Before anything is made of it: what a bench holds is copied while nobody is connected."""
        found[:] = gate.added(
            work.shadow, bench.start_database, bench.after, work.database, work.scope, seen=(bench.start, after), attacks=attacks,
            told=told,
        )  # fmt: skip
        return bench

    large = slicing.worthwhile(work.live, work.wanted)
    if large and not renames(work.declarations.renames, work.live, work.asked).up:
        told("build the slice")
        with connect(work.url) as live:
            owner = database_owner(live, work.shadow)
        try:
            plan, rehearsal = slicing.planned(
                work.shadow, work.whole, _surrounded(work), read_as=EVERYTHING, scope=work.scope, owners=(owner, work.role),
                bench=lambda part: audited(Bench(
                    work.shadow, part.before, part.after, part.states, role=role, fills=fills, downs=downs, places=work.declarations.places,
                    sizes=work.sizes, limits=work.database.limits, form=form, told=told
                ), part.states.after),
                texts=(*fills.values(), *downs.values()), prove=prove, ends=(work.live.fingerprint, work.wanted.fingerprint),
            )  # fmt: skip
        except slicing.Unsliceable as reason:
            notes = (f"planned on the whole database, not on a slice of it: {reason}",)
        else:
            return work, None, plan, rehearsal, tuple(found)
    told("copy the live schema")
    before = work.copy_of_live()
    renamed = _renamed(work, before)
    if renamed is not None:
        work = _seen_after(work, renamed)
    moved = renamed.renames.moved if renamed else {}
    bench = Bench(
        work.shadow, before, work.declared(), Expected(work.live, work.wanted, work.scope, moved),
        role=role, renamed=renamed, fills=fills, downs=downs, places=work.declarations.places,
        sizes=work.sizes, limits=work.database.limits, form=form, told=told,
    )  # fmt: skip
    plan, rehearsal = build(audited(bench, work.asked), prove=prove)
    return work, renamed, replace(plan, notes=(*plan.notes, *notes)), rehearsal, tuple(found)


def _surrounded(work: Work) -> Snapshot:
    """The declared state with what stands around the managed schemas, and on which objects that stay as they are rest."""
    around = {id: fact for id, fact in work.whole.facts.items() if id not in work.live.digests}
    if not around:
        return work.wanted
    edges = {id: work.whole.edges.get(id, frozenset()) for id in around}
    for id, needs in work.whole.edges.items():
        if work.wanted.digests.get(id) == work.whole.digests[id] and not needs.isdisjoint(around):
            edges[id] = work.wanted.edges.get(id, frozenset()) | (needs & around.keys())
    return catalog.merged(work.wanted, around, edges)


def _notes(extra: Iterable[ObjectId]) -> tuple[str, ...]:
    return tuple(f"{id.kind} {id} is not declared and stays" for id in extra)


def _renamed(work: Work, before: Url) -> Renamed | None:
    """The live schema with the declared renames done, in a scratch database; None when nothing is to be renamed."""
    found = renames(work.declarations.renames, work.live, work.asked)
    if not found.up:
        return None
    database = work.shadow.create(template=before)
    with connect(database) as connection:
        trial.run(connection, found.up)
    with connect(database) as connection:
        return Renamed(database, catalog.read(connection, work.scope), found)


def _seen_after(work: Work, renamed: Renamed) -> Work:
    """The same with what stays undeclared as it will be called, and described, once the renames are done."""
    moved = renamed.renames.moved
    owned = {moved.get(id, id): version for id, version in work.owned.items()}
    wanted, extra = with_extra(renamed.snapshot, work.asked, owned, prune=work.database.prune)
    return replace(work, wanted=wanted, extra=extra)
