"""Findings from what attacks came to: one for each rule, object and role, with who, what and the statement.

Errors for leaks; warnings for answers that differ and show nothing, for shared tables that anybody may write. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reconciler.audit.attacks.values import Outcome
from reconciler.audit.rules.attacks import BY_ID
from reconciler.audit.scene import Step
from reconciler.audit.verdict import MILD
from reconciler.model import Finding, ObjectId
from reconciler.platforms import Platform, api_roles
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that one outcome says under one rule."""

    rule: str
    object: ObjectId
    role: str
    identity: str
    says: str
    sql: str


def leaked(outcome: Outcome, reason: str) -> Remark:
    return _remark(outcome, outcome.attack.rule, reason)


def shared(outcome: Outcome) -> Remark:
    return _remark(outcome, "ATK023", f"may {outcome.attack.command} rows that all tenants share")


def differing(outcomes: Iterable[Outcome]) -> Iterator[Remark]:
    """What differs where B does not exist, and is no leak."""
    for outcome in outcomes:
        if outcome.attack.oracle and outcome.differs and not outcome.leaked:
            yield _remark(outcome, outcome.attack.oracle, f"{outcome.attack.does}: {outcome.differs}")
        elif outcome.leaked and outcome.attack.rule in MILD:
            yield _remark(outcome, outcome.attack.rule, outcome.attack.does)


def promoted(about: Relation, identity: Identity, taken: Iterable[Step]) -> Iterator[Remark]:
    """That somebody who is no administrator may say what people may do."""
    for step in taken:
        if step.power and step.oid == about.oid and not identity.name.startswith("admin of"):
            yield Remark(
                "ATK026",
                about.id,
                identity.role,
                identity.name,
                f"may set {step.column} to {step.value}",
                step.sql,
            )


def settable(outcomes: Iterable[Outcome]) -> Iterator[Remark]:
    """A sequence that was set."""
    return (
        _remark(outcome, "ATK024", outcome.attack.does)
        for outcome in outcomes
        if outcome.attack.rule == "ATK024"
    )


def _remark(outcome: Outcome, rule: str, says: str) -> Remark:
    actor = outcome.attack.by or outcome.identity
    sql = ";\n".join(
        [f"-- as {someone.name}\n{does}" for someone, does in outcome.attack.before] + [outcome.attack.sql]
    )
    return Remark(rule, outcome.attack.object, actor.role, actor.name, says, sql)


def reached(found: Iterable[Finding], platform: Platform) -> tuple[Finding, ...]:
    """The same, milder where the statement shows a leak to whoever may type it, and the platform's API, through which alone the role
    speaks, has no request that sends it."""
    return tuple(
        replace(
            one,
            severity="warning",
            says=f"{one.says}; no request of the platform's API does, only SQL with this role's rights",
        )
        if one.rule == "ATK005" and one.detail in api_roles(platform)
        else one
        for one in found
    )


def findings(remarks: Iterable[Remark]) -> tuple[Finding, ...]:
    """One finding for each rule, object and role, in order; the first remark gives the words."""
    grouped: dict[tuple[str, ObjectId, str], list[Remark]] = {}
    for remark in remarks:
        grouped.setdefault((remark.rule, remark.object, remark.role), []).append(remark)
    found = []
    for (rule, object, role), some in sorted(grouped.items()):
        names = ", ".join(dict.fromkeys(remark.identity for remark in some))
        found.append(
            BY_ID[rule].finding(
                object, f"{names} (role {role}) {some[0].says}", evidence=some[0].sql, detail=role
            )
        )
    return tuple(found)
