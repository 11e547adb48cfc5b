"""One pass of reconciling: look, then do what the mode allows. Every error of ours becomes a condition; none is swallowed.

A pass is two values: what the look found, and what came of acting on it. Whoever watches may tell of the first before the second
has begun. What a look has found stays known when the act after it fails. A database that a person paused is looked at and left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from reconciler import migrate
from reconciler.engine import proposals, suspending
from reconciler.engine.applying import apply
from reconciler.engine.checkout import used
from reconciler.engine.desired import Trust
from reconciler.engine.drift import Drift, as_declared, drift
from reconciler.engine.fetching import known
from reconciler.engine.landing import Warrant
from reconciler.engine.phases import in_phases
from reconciler.engine.planning import Proposal, propose
from reconciler.engine.pushing import push
from reconciler.engine.refusals import refuse_added
from reconciler.engine.work import Told
from reconciler.errors import ReconcilerError, Stalled, Usage, Waiting
from reconciler.migrate import Progress
from reconciler.model import Applied, Change, Condition, ObjectId, Status
from reconciler.pg import connect
from reconciler.run.stop import Stop
from reconciler.settings import Database

_PARTS = frozenset({"column", "constraint", "default", "index", "partition", "owned_by", "domain_constraint"})


@dataclass(frozen=True, slots=True)
class Pass:
    """What a look, or the act after it, came to. `seen` is None when the look failed; `error` is what it failed with."""

    status: Status
    seen: Drift | None = None
    applied: tuple[Applied, ...] = ()
    written: str = ""
    proposal: Proposal | None = None
    error: ReconcilerError | None = None

    @property
    def result(self) -> str:
        """One word: stalled, waiting, applied, proposed, suspended, drifted or in_sync."""
        if self.error is not None:
            return "waiting" if isinstance(self.error, Waiting) else "stalled"
        if self.applied:
            return "applied"
        if self.written:
            return "proposed"
        if self.status.drift:
            return "suspended" if any(c.type == "Suspended" for c in self.status.conditions) else "drifted"
        return "in_sync"


def run_once(
    database: Database,
    *,
    told: Told = lambda stage: None,
    now: datetime | None = None,
    stop: Stop | None = None,
) -> Status:
    """Observes, and in the modes `propose` and `apply` writes or applies what is missing, unless somebody paused that. Returns the
    status; raises only for errors that are none of our families.
    """
    fetched = known(database)
    database = fetched.database
    with used(database):
        first = observed(database, told=told, now=now, trouble=fetched.hindrance)
        if first.seen is None or not first.seen.changes or database.mode == "observe":
            return fetched.told_of(first.status)
        return fetched.told_of(acted(database, first, told=told, now=now, stop=stop).status)


def observed(
    database: Database,
    *,
    told: Told = lambda stage: None,
    now: datetime | None = None,
    trouble: ReconcilerError | None = None,
) -> Pass:
    """Looks, and changes nothing. Trust is `untrusted` unless the configuration says otherwise. `trouble` is why nobody knows what is
    declared."""
    at = _moment(now)
    try:
        if trouble is not None:
            raise trouble
        seen = drift(database, trust=_trust(database), told=told)
    except (Waiting, Stalled, Usage) as error:
        status = unknown(database, error, at)
        if not isinstance(error, Waiting):  # what was not there a moment ago is not asked again
            status = suspending.told_of(status, suspending.seen(database))
        return Pass(status, error=error)
    return Pass(suspending.told_of(_status(database, seen, at), suspending.seen(database)), seen)


def unknown(database: Database, error: ReconcilerError, at: str) -> Status:
    """The status when `error` kept us from looking."""
    reason = "Waiting" if isinstance(error, Waiting) else "Stalled"
    condition = Condition("InSync", "Unknown", reason, error.brief, at)
    return Status(database.name, at, (condition, *_trouble(error, at)))


def acted(
    database: Database,
    first: Pass,
    *,
    told: Told = lambda stage: None,
    on_statement: Callable[[Progress], None] = lambda progress: None,
    on_note: Callable[[str], None] = lambda note: None,
    now: datetime | None = None,
    stop: Stop | None = None,
    warrant: Warrant | None = None,
    asked: bool = False,
) -> Pass:
    """Proposes or applies, as the mode says, what the look `first` found, and looks again after an apply. `warrant` is by what right
    a process applies that is one of several; `asked` says that a person asked for it now."""
    trust = _trust(database)
    try:
        paused = suspending.suspension(database)
        if paused is not None:
            return replace(first, status=suspending.told_of(first.status, paused))
        if database.mode == "propose":
            written, made = _proposed(database, trust, told)
            facts = {**first.status.facts, "written": written}
            first = replace(first, status=replace(first.status, facts=facts), written=written, proposal=made)
            pushed = push(database, written, made.plan.changes)
            if pushed:
                on_note(f"{written} was pushed to the branch {pushed}")
            return replace(first, status=replace(first.status, facts={**facts, "pushed": pushed}))
        done = apply(
            database, trust=trust, told=told, on_statement=on_statement, on_note=on_note, again=False, asked=asked, stop=stop,
            warrant=warrant,
            hold=lambda: suspending.suspension(database) is not None,
        )  # fmt: skip
    except (Waiting, Stalled, Usage) as error:
        return stalled(first, error, now=now)
    after = observed(database, told=told, now=now)
    facts = {**after.status.facts, "applied": [row.version for row in done]}
    return replace(after, status=replace(after.status, facts=facts), applied=done)


def stalled(first: Pass, error: ReconcilerError, *, now: datetime | None = None) -> Pass:
    """The look `first` with what kept the act after it from ending, now or the last time."""
    others = tuple(c for c in first.status.conditions if c.type != "Stalled")
    conditions = (*others, *_trouble(error, _moment(now)))
    return replace(first, status=replace(first.status, conditions=conditions), error=error)


def _trust(database: Database) -> Trust:
    return database.trust or "untrusted"


def _moment(now: datetime | None) -> str:
    return (now or datetime.now(UTC)).isoformat(timespec="seconds")


def _status(database: Database, seen: Drift, at: str) -> Status:
    facts = {"drift": dict(Counter(f"{change.id.kind}:{change.verb}" for change in seen.changes))}
    return Status(database.name, at, _conditions(database, seen, at), seen.changes, seen.extra, facts=facts)


def _proposed(database: Database, trust: Trust, told: Told) -> tuple[str, Proposal]:
    """Writes the migration unless a file already holds the same statements; an older proposal that nobody took up goes."""
    made = propose(database, trust=trust, told=told, every_row=False, phases=in_phases(database))
    if made.migration is None or made.rehearsal is None:
        return "", made
    if not made.rehearsal.passed:
        raise Stalled(
            f"the rehearsal of the plan failed: {'; '.join(made.rehearsal.residue[:5])}",
            hint="reconciler plan",
        )
    refuse_added(made.plan, database.allow)
    files = migrate.load_directory(database.migrations)
    with connect(database.target()) as live:
        history = migrate.read(live)
        approved = migrate.approvals(live)
    olds = proposals.own(files, history, approved)
    migration = proposals.again(made.migration, files[::-1], history, approved)
    proposals.filed(database, migration, olds)
    return migration.filename, made


def _conditions(database: Database, seen: Drift, at: str) -> tuple[Condition, ...]:
    if seen.changes:
        sync = Condition("InSync", "False", "Drifted", _differs(seen.changes), at)
    else:
        sync = Condition("InSync", "True", "AsDeclared", as_declared(database), at)
    extra = Condition(
        "ExtraObjects", "True" if seen.extra else "False", "Undeclared" if seen.extra else "None",
        _stays(seen.extra) if seen.extra else "nothing undeclared", at,
    )  # fmt: skip
    found = [sync, extra, *_trouble(None, at)]
    if seen.unmodelled:
        sentence = f"not compared: {', '.join(seen.unmodelled[:3])}"
        found.append(Condition("Unmodelled", "True", "UnknownKinds", sentence, at))
    if seen.phases:
        named = ", ".join(f"{one.column} (may be NULL since {one.version})" for one in seen.phases[:3])
        found.append(Condition("PhasePending", "True", "NextApply", f"the next apply drops {named}", at))
    return tuple(found)


def _differs(changes: Sequence[Change]) -> str:
    """What differs, wholes before their parts: who reads only the beginning reads what matters."""
    first = sorted(changes, key=lambda change: change.id.kind in _PARTS)[:3]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    count = f"{len(changes)} difference{'s' if len(changes) > 1 else ''}"
    return f"{count}: {', '.join(change.says for change in first)}{more}"


def _stays(extra: Sequence[ObjectId]) -> str:
    first = ", ".join(f"{id.kind.replace('_', ' ')} {id}" for id in extra[:3])
    more = f" and {len(extra) - 3} more" if len(extra) > 3 else ""
    return f"{first}{more} {'are' if len(extra) > 1 else 'is'} not declared and stay{'' if len(extra) > 1 else 's'}"


def _trouble(error: ReconcilerError | None, at: str) -> tuple[Condition, ...]:
    """Whether a person must act, and whether it is tried again by itself."""
    if isinstance(error, Waiting):
        waits = Condition("Waiting", "True", "TriedAgain", str(error), at)
        return Condition("Stalled", "False", "Working", "no action is needed", at), waits
    if error is not None:
        return (Condition("Stalled", "True", "ActionNeeded", str(error), at),)
    return (Condition("Stalled", "False", "Working", "no action is needed", at),)
