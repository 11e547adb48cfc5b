"""Rules about policies as they are written: conditions that are always true, never true, or not there; duplicates."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach
from reconciler.audit.rules.catalog import PUBLIC, Catalog, Policy, Relation
from reconciler.audit.rules.conditions import always
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding


def is_floored(catalog: Catalog, table: Relation, policy: Policy) -> bool:
    """Whether restrictive policies with a condition narrow each command of a permissive one, for the same roles."""
    floors = [
        other
        for other in catalog.policies_of(table)
        if not other.permissive
        and other.conditions
        and not any(always(condition) is True for _, condition in other.conditions)
        and (PUBLIC in other.roles or set(policy.roles) <= set(other.roles))
    ]
    return all(any(command in floor.commands for floor in floors) for command in policy.commands)


def to_whom(policy: Policy) -> str:
    return ", ".join(reach.shown(role) for role in policy.roles)


def _always_true(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        open_to = tuple(c for c in policy.commands if c != "insert" or policy.check is None)
        if not policy.permissive or policy.using is None or always(policy.using) is not True:
            continue
        if is_floored(catalog, table, policy) or (subject.is_shared(table) and set(open_to) == {"select"}):
            continue
        yield ALWAYS_TRUE.finding(
            policy.id,
            f"Policy {policy.name} on {table.id} lets {to_whom(policy)} {', '.join(open_to)} every row: using ({policy.using.text}).",
        )


ALWAYS_TRUE = Rule(
    id="POL001",
    title="A policy lets every row through",
    severity="warning",
    condition="The USING of a permissive policy has the same value, true, for every row and every caller, as in `true`, `1 = 1` or"
    " `… or true`, and no restrictive policy narrows it. A table that is shared on purpose may be readable so.",
    consequence="Permissive policies are joined by OR: beside this one no other counts.",
    remedy="Compare the column that says whose a row is with the caller. If the table is shared on purpose, say so in the"
    " configuration (audit.tables) and let the policy be for SELECT alone.",
    references=("splinter 0024", "pgrls SEC008", "pgrls SEC011"),
    check=_always_true,
)


def _check_true(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        if policy.permissive and policy.check is not None and always(policy.check) is True:
            if is_floored(catalog, table, policy):
                continue
            written = " and ".join(c for c in policy.commands if c in ("insert", "update"))
            using = policy.using
            remedy = ""
            if using is not None and always(using) is None:
                remedy = f"alter policy {names.policy(policy)} with check ({using.text});"
            yield CHECK_TRUE.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} lets {to_whom(policy)} {written} rows of any owner:"
                f" with check ({policy.check.text}).",
                remedy=remedy,
            )


CHECK_TRUE = Rule(
    id="POL002",
    title="A policy lets any row be written",
    severity="warning",
    condition="The WITH CHECK of a permissive policy is always true, and no restrictive policy narrows it.",
    consequence="Rows can be written in another tenant's name, or one's own moved there, even where reading is restricted.",
    remedy="Say in WITH CHECK what USING says: alter policy … with check (<the condition of using>).",
    references=("splinter 0024", "pgrls SEC020", "pgrls SEC028"),
    check=_check_true,
)


def _no_condition(subject: Subject) -> Iterator[Finding]:
    for table, policy in subject.catalog.own_policies():
        if not policy.conditions:
            effect = "it lets no row through" if policy.permissive else "it restricts nothing"
            yield NO_CONDITION.finding(
                policy.id, f"Policy {policy.name} on {table.id} has no condition: {effect}."
            )


NO_CONDITION = Rule(
    id="POL003",
    title="A policy has no condition",
    severity="warning",
    condition="A policy has neither USING nor WITH CHECK.",
    consequence="PostgreSQL takes a permissive policy without a condition for one that allows nothing, and a restrictive one for"
    " one that forbids nothing. Either is the opposite of what is easily read into it.",
    remedy="Write the condition, or drop the policy.",
    references=("pgrls SEC006", "manual: CREATE POLICY"),
    check=_no_condition,
)


def _check_left_out(subject: Subject) -> Iterator[Finding]:
    for table, policy in subject.catalog.own_policies():
        using = policy.using
        if using is None or policy.check is not None or "update" not in policy.commands:
            continue
        if policy.permissive and always(using) is None:
            yield CHECK_LEFT_OUT.finding(
                policy.id,
                f"What policy {policy.name} lets be written to {table.id} follows from its USING; it has no WITH CHECK.",
                remedy=f"alter policy {names.policy(policy)} with check ({using.text});",
            )


CHECK_LEFT_OUT = Rule(
    id="POL004",
    title="What may be written is left to USING",
    severity="info",
    condition="A permissive policy for UPDATE or ALL has a USING and no WITH CHECK.",
    consequence="PostgreSQL then checks new rows by USING, which is right today. Whoever widens USING later, so that more can be read,"
    " widens what can be written with it.",
    remedy="Write the same condition as WITH CHECK, so that the two are decided apart.",
    references=("pgrls SEC006",),
    check=_check_left_out,
)


def _never_true(subject: Subject) -> Iterator[Finding]:
    for table, policy in subject.catalog.own_policies():
        for name, condition in policy.conditions:
            if always(condition) is False:
                effect = "adds nothing to what others allow" if policy.permissive else "refuses everything"
                yield NEVER_TRUE.finding(
                    policy.id,
                    f"Policy {policy.name} on {table.id} {effect}: {name} ({condition.text}).",
                    detail=name.replace(" ", "_"),
                )


NEVER_TRUE = Rule(
    id="POL005",
    title="A policy's condition is never true",
    severity="info",
    condition="The USING or WITH CHECK of a policy has the value false for every row and every caller.",
    consequence="A permissive policy like that is a line without effect; a restrictive one forbids its commands to everyone whom it"
    " names, in silence where it is about reading.",
    remedy="Say it by privileges: revoke the command. Then the refusal is an error that somebody sees.",
    references=("pgrls SEC010",),
    check=_never_true,
)


def _floorless(subject: Subject) -> Iterator[Finding]:
    for table, policy in subject.catalog.own_policies():
        if not policy.permissive and policy.using is not None and always(policy.using) is True:
            yield FLOORLESS.finding(
                policy.id,
                f"The restrictive policy {policy.name} on {table.id} restricts nothing: using ({policy.using.text}).",
            )


FLOORLESS = Rule(
    id="POL006",
    title="A restrictive policy restricts nothing",
    severity="warning",
    condition="The USING of a restrictive policy is always true.",
    consequence="It reads like a floor under all other policies and is none.",
    remedy="Give it the condition that every row must meet, or drop it.",
    references=("pgrls SEC031",),
    check=_floorless,
)


def _twins(subject: Subject) -> Iterator[Finding]:
    seen: dict[object, Policy] = {}
    for table, policy in subject.catalog.own_policies():
        texts = tuple((name, condition.text) for name, condition in policy.conditions)
        same = (table.oid, policy.permissive, policy.commands, frozenset(policy.roles), texts)
        first = seen.setdefault(same, policy)
        if first is not policy:
            yield TWINS.finding(
                policy.id,
                f"Policies {first.name} and {policy.name} on {table.id} are the same but for their names.",
                remedy=f"drop policy {names.policy(policy)};",
            )


TWINS = Rule(
    id="POL010",
    title="Two policies are the same",
    severity="info",
    condition="Two policies of a table have the same kind, command, roles and conditions.",
    consequence="Who changes one believes to have changed the rule, and the other goes on to allow what it allowed.",
    remedy="Drop one of them.",
    references=("pgrls HYG003",),
    check=_twins,
)

RULES = (ALWAYS_TRUE, CHECK_TRUE, NO_CONDITION, CHECK_LEFT_OUT, NEVER_TRUE, FLOORLESS, TWINS)
