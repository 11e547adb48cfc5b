"""A plan from two scratch databases: proposed by migra, completed by the kinds, rehearsed before anybody sees it.

For each direction migra's draft is tried on a copy, statement by statement; the kinds finish what it leaves open, and where it
does not lead to the exact state it is set aside for the kinds' own plan. Then both directions are rehearsed together. A
plan that does not land is returned with its residue, never as a success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare
from reconciler.catalog.kinds import Context, Unplannable
from reconciler.catalog.scope import Scope
from reconciler.errors import ReconcilerError, Source, Stalled
from reconciler.model import (
    Change,
    Form,
    Hazard,
    HazardCode,
    Limits,
    ObjectId,
    Plan,
    Rehearsal,
    Size,
    Snapshot,
    Statement,
)
from reconciler.pg import Url, connect, ident
from reconciler.plan import online, quarantine, suggest
from reconciler.plan.adopt import adopt
from reconciler.plan.complete import complete
from reconciler.plan.draft import DraftFailed, draft
from reconciler.plan.rename import Renames
from reconciler.plan.unfilled import unmistakable
from reconciler.run.steps import normalised
from reconciler.shadow import trial
from reconciler.shadow.rehearse import Expected, rehearsed
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.weigh import weigh, with_bands

_DATA = frozenset({HazardCode.DEPENDS_ON_DATA, HazardCode.LOSSY_CAST})
_BODIES = "set local check_function_bodies = off"


@dataclass(frozen=True, slots=True)
class Renamed:
    """The state before with the declared renames done, on a scratch database of its own."""

    database: Url
    snapshot: Snapshot
    renames: Renames


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything a plan is built from.

    `before` and `after` are scratch databases that nobody is connected to, and `states` what was read from them, in which
    objects that stay although undeclared are on both sides. `renamed` is there when something is to be renamed. `role` will apply the plan; empty means the shadow's own user.
    `fills` and `downs` give, per column, the declared value for rows that exist already, going up and going down; `places` say
    where an object is declared, as far as that is known. `sizes` are those of the target's tables, by their names of before; one that is not named is small.
    """

    shadow: Shadow
    before: Url
    after: Url
    states: Expected
    role: str = ""
    renamed: Renamed | None = None
    fills: Mapping[ObjectId, str] = field(default_factory=dict)
    downs: Mapping[ObjectId, str] = field(default_factory=dict)
    places: Mapping[ObjectId, Source] = field(default_factory=dict)
    form: Form = "plain"
    sizes: Mapping[ObjectId, Size] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    told: Callable[[str], None] = lambda stage: None

    @property
    def scope(self) -> Scope:
        return self.states.scope

    @property
    def start(self) -> Snapshot:
        """The state the planner starts from: before, with declared renames done."""
        return self.renamed.snapshot if self.renamed else self.states.before

    @property
    def start_database(self) -> Url:
        return self.renamed.database if self.renamed else self.before


@dataclass(frozen=True, slots=True)
class _Direction:
    statements: tuple[Statement, ...]
    own: tuple[Statement, ...]
    set_aside: str = ""


def build(bench: Bench, *, prove: bool = True, use_migra: bool = True) -> tuple[Plan, Rehearsal]:
    """The plan from `before` to `after` and back, and its rehearsal (all stages None when not asked to prove it), with what each
    statement would take on the target where its tables are large.

    Raises Stalled when a difference cannot be turned into SQL, or concerns a kind this program cannot compare.
    """
    plan, rehearsal = _built(bench, prove=prove, use_migra=use_migra)
    if not prove or not plan.up or not rehearsal.passed or not bench.sizes:
        return plan, rehearsal
    weighed = weigh(
        bench.shadow, bench.before, bench.states.before, plan.up, plan.down, rehearsal, bench.sizes,
        role=bench.role, told=bench.told,
    )  # fmt: skip
    return plan, with_bands(rehearsal, weighed)


def _built(bench: Bench, *, prove: bool, use_migra: bool) -> tuple[Plan, Rehearsal]:
    before, after = bench.states.before, bench.states.after
    changes = compare(bench.start, after)
    if bench.renamed:
        changes = (*bench.renamed.renames.changes, *changes)
    strange = tuple(sorted({*before.unmodelled, *after.unmodelled}))
    if not changes:
        return Plan(
            before.fingerprint, after.fingerprint, (), (), (), unmodelled=strange
        ), Rehearsal.of_nothing()
    try:
        bench.told("plan")
        up = _direction(bench, use_migra, forward=True)
        down = _direction(bench, use_migra, forward=False)
    except Unplannable as refused:
        raise Stalled(
            f"no plan: {refused}",
            hint="make this change by a migration of your own: reconciler new migration",
        ) from refused
    plan = _plan(
        bench,
        changes,
        up.statements,
        down.statements,
        strange,
        "; ".join(filter(None, (up.set_aside, down.set_aside))),
    )
    mixed = up.statements != up.own or down.statements != down.own
    if not prove and not mixed:
        return plan, Rehearsal()
    # What migra wrote is never handed out untried, asked or not.
    rehearsal = _rehearsed(bench, plan)
    if mixed and (not rehearsal.passed or rehearsal.unseeded):
        why = "; ".join((*rehearsal.residue, *rehearsal.unseeded)[:1])
        reason = f"migra's draft did not pass the rehearsal ({why})"
        own = _plan(bench, changes, up.own, down.own, strange, reason)
        tried = _rehearsed(bench, own)
        if not rehearsal.passed or (tried.passed and not tried.unseeded):
            return own, tried
    return plan, rehearsal


def _plan(
    bench: Bench,
    changes: tuple[Change, ...],
    up: Sequence[Statement],
    down: Sequence[Statement],
    strange: tuple[str, ...],
    set_aside: str,
) -> Plan:
    before, after = bench.states.before, bench.states.after
    if bench.renamed:
        found = bench.renamed.renames
        # A second DOWN finds the old names: what it says of the new ones needs them once more.
        again = (
            tuple(replace(s, reason=f"{s.reason}, in case this runs twice") for s in found.up) if down else ()
        )
        up, down = (*found.up, *up), (*again, *down, *found.down)
    up, down = _relevant(up, bench.start, after), _relevant(down, after, bench.start)
    unmistakable((*up, *down))
    likely = tuple(suggest.told(one, bench.places) for one in suggest.suggested(bench.start, after, changes))
    up, down = _settled(up), _settled(down)
    if bench.form == "quarantine":
        applier = bench.role or bench.shadow.url.user
        up, down = quarantine.kept(
            up,
            down,
            bench.start,
            after,
            applier=applier,
            large=_large(bench),
            fills=bench.fills,
            downs=bench.downs,
            renames=_renaming(bench),
        )
    if bench.sizes:
        up, down = (_settled(way) for way in _online(bench, up, down))
    up = suggest.beside(up, likely)
    return Plan(
        before.fingerprint, after.fingerprint, changes, tuple(up), tuple(down), form=bench.form,
        set_aside=set_aside, unmodelled=strange, suggestions=likely,
    )  # fmt: skip


def _online(
    bench: Bench, up: Sequence[Statement], down: Sequence[Statement]
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Both directions as they run while others use the tables."""
    found = bench.renamed.renames if bench.renamed else None
    moved = found.moved if found else {}
    sizes = {moved.get(id, id): size for id, size in bench.sizes.items()}
    texts = (
        (frozenset(s.sql for s in found.up), frozenset(s.sql for s in found.down))
        if found
        else (frozenset[str](), frozenset[str]())
    )
    up, down = ([s for s in way if s.sql != _BODIES] for way in (up, down))
    return online.rewritten(
        up, down, bench.start, bench.states.after, sizes=sizes, limits=bench.limits,
        applier=bench.role or bench.shadow.url.user, fills=bench.fills, downs=bench.downs, renames=texts,
    )  # fmt: skip


def _renaming(bench: Bench) -> frozenset[str]:
    found = bench.renamed.renames if bench.renamed else None
    return frozenset(s.sql for s in (*found.up, *found.down)) if found else frozenset()


def _large(bench: Bench) -> frozenset[ObjectId]:
    """The tables that must not be read under a lock, by the names the planner starts from."""
    moved = bench.renamed.renames.moved if bench.renamed else {}
    return frozenset(
        moved.get(id, id) for id, size in bench.sizes.items() if size.rows >= bench.limits.online_rows
    )


def _rehearsed(bench: Bench, plan: Plan) -> Rehearsal:
    doubtful = any(h.code in _DATA for s in (*plan.up, *plan.down) for h in s.hazards)
    return rehearsed(
        bench.shadow, bench.before, plan.up, plan.down, bench.states,
        role=bench.role, doubtful=doubtful, keeps=plan.form == "quarantine", told=bench.told,
    )  # fmt: skip


def _direction(bench: Bench, use_migra: bool, *, forward: bool) -> _Direction:
    start, end = (bench.start_database, bench.after) if forward else (bench.after, bench.start_database)
    before, after = bench.start, bench.states.after
    if not forward:
        before, after = after, before
    fills = bench.fills if forward else bench.downs
    context = Context(before, after, bench.role or bench.shadow.url.user, fills)
    own = complete(context)
    if not use_migra:
        return _Direction(own, own)
    try:
        proposed = draft(start, end)
    except (DraftFailed, ReconcilerError) as reason:
        return _Direction(own, own, str(reason))
    if not proposed:
        return _Direction(own, own)
    if not forward:
        # The down starts from the plan's own result; where undeclared objects stay, that is not the declared database.
        base = _result_of(bench, own=complete(Context(after, before, context.applier, bench.fills)))
        if base is None:
            return _Direction(own, own, "the state after could not be reached without a draft")
        try:
            return _completed(bench, base, proposed, context, own)
        finally:
            bench.shadow.drop(base)
    with bench.shadow.copy(start) as copy:
        return _completed(bench, copy, proposed, context, own)


def _result_of(bench: Bench, own: Sequence[Statement]) -> Url | None:
    """A copy of the state before on which the kinds' own plan was run."""
    copy = bench.shadow.create(template=bench.start_database)
    if _ran(copy, own, bench.role):
        return copy
    bench.shadow.drop(copy)
    return None


def _ran(database: Url, statements: Sequence[Statement], role: str) -> bool:
    """Whether all of the statements ran."""
    try:
        with connect(database) as connection:
            trial.run(connection, _settled(statements), role=role)
    except ReconcilerError:
        return False
    return True


def _completed(
    bench: Bench, copy: Url, proposed: Sequence[str], context: Context, own: tuple[Statement, ...]
) -> _Direction:
    """migra's statements that may stand, and what the kinds add to them; the kinds' own plan when that does not land."""
    with connect(copy) as connection:
        connection.execute("set search_path to ''")
        if bench.role:
            connection.execute(f"set session authorization {ident(bench.role)}")
        adopted = adopt(connection, proposed, context, own)
    if not adopted.statements:
        reasons = sorted({reason for _, reason in adopted.refused})
        return _Direction(
            own, own, f"migra's draft was set aside: {'; '.join(reasons[:3])}" if reasons else ""
        )
    with connect(copy) as side:
        got = catalog.read(side, bench.scope)
    try:
        rest = complete(Context(got, context.after, context.applier, context.fills))
    except Unplannable as reason:
        return _Direction(own, own, f"migra's draft was set aside: it leaves a state from which {reason}")
    if _destroys_more(rest, own):
        return _Direction(own, own, "migra's draft was set aside: finishing it would destroy what can stay")
    if rest and not _ran(copy, rest, bench.role):
        return _Direction(own, own, "migra's draft was set aside: it could not be finished")
    with connect(copy) as side:
        if catalog.fingerprint(side, bench.scope) != context.after.fingerprint:
            return _Direction(own, own, "migra's draft was set aside: it does not lead to the wanted state")
    return _Direction((*adopted.statements, *rest), own)


def _destroys_more(rest: Sequence[Statement], own: Sequence[Statement]) -> bool:
    announced = {s.subject for s in own if any(h.code is HazardCode.DELETES_DATA for h in s.hazards)}
    return any(
        h.code is HazardCode.DELETES_DATA and s.subject not in announced for s in rest for h in s.hazards
    )


def _settled(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements as they will run: what must commit alone does, and bodies of functions are not checked early."""
    found = _values_first([s for s in statements if s.sql != _BODIES])
    settled: list[Statement] = []
    run: list[Statement] = []
    for statement in [*found, None]:
        if statement is not None and statement.transactional and not (statement.apart and run):
            run.append(statement)
            continue
        if any("create or replace" in s.sql[:17].lower() and _is_routine(s) for s in run):
            unchecked = Statement(_BODIES, "a function may use what is created after it", apart=run[0].apart)
            run = [unchecked, replace(run[0], apart=False), *run[1:]]
        settled += run
        run = []
        if statement is not None and statement.transactional:
            run = [statement]
        elif statement is not None:
            settled.append(statement)
    return normalised(settled)


def _relevant(statements: Sequence[Statement], before: Snapshot, after: Snapshot) -> list[Statement]:
    """The statements without the hazards of what this very plan creates: nobody uses it yet, and it has no rows. A materialized
    view is made with rows all the same, and a new partition may find its own in the default one: these can fail on them."""
    found = []
    for statement in statements:
        id = statement.subject
        fact = after.facts.get(id) if id is not None else None
        while fact is not None and fact.parent is not None and fact.parent in after.facts:
            fact = after.facts[fact.parent]
        if fact is None or fact.id in before.facts:
            found.append(statement)
            continue
        filled = fact.id.kind == "materialized_view" or (id is not None and id.kind == "partition")
        kept = (h for h in statement.hazards if filled and h.code is HazardCode.DEPENDS_ON_DATA)
        found.append(replace(statement, hazards=tuple(kept)))
    return found


def _is_routine(statement: Statement) -> bool:
    words = statement.sql[:40].lower().split()
    return len(words) > 3 and words[3] in ("function", "procedure")


def _values_first(statements: list[Statement]) -> list[Statement]:
    """A new enum value cannot be used in the transaction that adds it (manual: ALTER TYPE, Notes): when another statement
    says its name, the addition commits alone."""
    found = []
    for statement in statements:
        if " add value if not exists " in statement.sql and statement.sql.startswith("alter type "):
            label = (
                statement.sql.split(" add value if not exists ", 1)[1]
                .split(" after ")[0]
                .split(" before ")[0]
            )
            if any(
                label in other.sql
                for other in statements
                if other is not statement and other.subject != statement.subject
            ):
                alone = Hazard(
                    HazardCode.NOT_TRANSACTIONAL,
                    f"The value {label} stays even if a later statement of this migration fails.",
                )
                statement = replace(statement, transactional=False, hazards=(*statement.hazards, alone))
        found.append(statement)
    return found
