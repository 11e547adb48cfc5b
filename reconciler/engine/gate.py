"""Findings of the audit that a change adds: what the rules say of the state after it and not of the state before.

Asks both scratch databases that a plan has anyway, and attacks only where somebody wants that. Promises that what was wrong before does not
count, nor what somebody exempted; a database that holds nothing yet has no before, so that nothing is held against its first plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.scope import Scope
from reconciler.engine.auditing import audited, exempted, ruled, whose
from reconciler.engine.subject import Subject
from reconciler.engine.work import Told
from reconciler.model import Applied, Finding, Hazard, HazardCode, ObjectId, Plan, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.settings import Database
from reconciler.shadow.scratch import Shadow

_COUNTS = ("error", "warning")


def added(
    shadow: Shadow,
    before: Url,
    after: Url,
    database: Database,
    scope: Scope,
    *,
    seen: tuple[Snapshot, Snapshot] | None = None,
    attacks: bool = False,
    moved: Mapping[ObjectId, ObjectId] | None = None,
    told: Told = lambda stage: None,
) -> tuple[Finding, ...]:
    """Errors and warnings that hold in `after` and not in `before`, two scratch databases nobody is connected to. `seen` is what was read
    from them already. `moved` says what `after` calls differently: a finding about a renamed object is no new one."""
    told("audit the change")
    was, is_ = seen or (None, None)
    now = _found(shadow, after, database, scope, is_, attacks, told)
    if not now:
        return ()
    called = moved or {}
    then = {
        replace(finding, subject=called.get(finding.subject, finding.subject)).key
        for finding in _found(shadow, before, database, scope, was, attacks, told)
    }
    return tuple(finding for finding in now if finding.key not in then)


def _found(
    shadow: Shadow,
    state: Url,
    database: Database,
    scope: Scope,
    seen: Snapshot | None,
    attacks: bool,
    told: Told,
) -> tuple[Finding, ...]:
    subject = Subject(database.name, shadow, state, database.platform, scope)
    if attacks or database.audit.attacks:
        audit = audited(subject, database, told=told)
        if audit.partial:  # half an audit lets nothing pass
            raise KeyboardInterrupt
        found: Collection[Finding] = audit.findings
    else:
        with connect(state) as session:
            found = ruled(session, subject, whose(session, database), seen or catalog.read(session, scope))
        found, _ = exempted(found, database, complete=False)
    return tuple(finding for finding in found if finding.severity in _COUNTS)


def told_by(plan: Plan, found: Sequence[Finding], before: Snapshot) -> Plan:
    """The plan with each finding as a hazard of the statement that makes it, or else of the last one; with a note alone, where there was
    nothing before."""
    if not found or not plan.up:
        return plan
    if not any(id.schema for id in before.digests):
        says = f"the audit has {len(found)} errors and warnings about what is declared: reconciler audit shows them"
        return replace(plan, notes=(*plan.notes, says))
    up = list(plan.up)
    for finding in found:
        at = _maker(up, finding.subject)
        hazard = Hazard(HazardCode.ADDS_FINDING, f"{finding.rule}: {finding.says}")
        up[at] = replace(up[at], hazards=(*up[at].hazards, hazard))
    return replace(plan, up=tuple(up))


def left_at(history: Sequence[Applied]) -> str:
    """The fingerprint of the state that the last migration led to; empty after a rollback, and where there was none. Who leads back there
    repairs: what the audit finds in it was let in before."""
    done = [row for row in history if row.finished_at]
    return done[-1].after if done and done[-1].direction == "up" else ""


def hazards(found: Iterable[Finding]) -> tuple[Hazard, ...]:
    return tuple(Hazard(HazardCode.ADDS_FINDING, f"{one.rule}: {one.says}") for one in found)


def _maker(statements: Sequence[Statement], subject: ObjectId) -> int:
    """The last statement about the very object, or about the one it is a part of."""
    for close in (
        lambda id: id == subject,
        lambda id: (id.schema, id.name) == (subject.schema, subject.name),
    ):
        for number in range(len(statements) - 1, -1, -1):
            id = statements[number].subject
            if id is not None and close(id):
                return number
    return len(statements) - 1
