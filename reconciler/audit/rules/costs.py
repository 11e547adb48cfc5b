"""Rules about what policies call, checked against the plans that PostgreSQL makes of them where there is a role to ask as."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names
from reconciler.audit.rules.catalog import Function, Policy, Relation
from reconciler.audit.rules.conditions import asking, called, called_each_row, columns
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding
from reconciler.pg import ident


def _seen(subject: Subject, table: Relation, policy: Policy, calls: set[str]) -> str | None:
    """How a plan shows one of these calls in a filter, in words; None where plans were made and none does."""
    plans = [plan for command in policy.commands for plan in subject.plans.get((table.oid, command), ())]
    made = [plan for plan in plans if not plan.trouble]
    for plan in made:
        for text in plan.filters:
            if any(f"{name}(" in text for name in calls):
                return f"explain as {plan.role}: Filter: {text}"
    if made:
        return None
    return f"not confirmed by a plan: {plans[0].trouble if plans else 'no role to ask as'}"


def _unwrapped(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        if policy.using is None or not table.rls:
            continue
        found = {
            f.oid: f
            for node, f in called_each_row(catalog, policy.using.tree)
            if f.oid in asking(catalog) and f.volatility != "v" and not columns(node)
        }
        # PostgreSQL puts the body of a simple SQL function in place of its call.
        seen = (
            _seen(subject, table, policy, {f.id.name for f in found.values()} | {"current_setting"})
            if found
            else None
        )
        if seen is not None:
            listed = ", ".join(sorted(f"{f.id.schema}.{f.id.name}()" for f in found.values()))
            yield UNWRAPPED.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} calls {listed} again for every row.",
                evidence=seen,
                remedy=_wrapped(policy, tuple(found.values())),
            )


def _wrapped(policy: Policy, functions: tuple[Function, ...]) -> str:
    """ALTER POLICY with each call inside a (select …); empty where that cannot be told from the text."""
    assert policy.using is not None
    text = policy.using.text
    for function in functions:
        name = (
            ident(function.id.name)
            if function.id.schema == "pg_catalog"
            else ident(function.id.schema, function.id.name)
        )
        call = re.compile(rf"(?<![\w.]){re.escape(name)}\((?:[^()']|'[^']*')*\)")
        text, made = call.subn(lambda found: f"(select {found[0]})", text)
        if not made:
            return ""
    check = f" with check ({policy.check.text})" if policy.check is not None else ""
    return f"alter policy {names.policy(policy)} using ({text}){check};"


UNWRAPPED = Rule(
    id="PRF001",
    title="A policy asks who is there again for every row",
    severity="info",
    condition="The USING of a policy calls current_setting(), auth.uid() or a function that looks at the session outside of a subquery,"
    " with arguments that do not depend on the row; and the plan shows the call in the filter of the table.",
    consequence="The answer is the same for all rows of a query, and is found anew for each: on a large table most of the time goes there.",
    remedy="Put it into a subquery, which PostgreSQL evaluates once: org_id = (select private.current_org_id()).",
    references=("splinter 0003", "pgrls PERF001"),
    check=_unwrapped,
)


def _volatile(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        if policy.using is None or not table.rls:
            continue
        found = {f.oid: f for f in called(catalog, policy.using.tree) if f.volatility == "v"}
        if not found:
            continue
        again = {f.id.name for _, f in called_each_row(catalog, policy.using.tree) if f.oid in found}
        seen = _seen(subject, table, policy, again) if again else None
        own = [f for f in found.values() if f.id.schema in catalog.ours]
        yield VOLATILE.finding(
            policy.id,
            f"Policy {policy.name} on {table.id} calls {', '.join(sorted(str(f.id) for f in found.values()))}, declared volatile.",
            evidence=seen or "",
            remedy="\n".join(f"alter {names.routine(f)} stable;" for f in own)
            if len(own) == len(found)
            else "",
        )


VOLATILE = Rule(
    id="PRF003",
    title="A policy calls a volatile function",
    severity="info",
    condition="The USING of a policy calls a function declared VOLATILE, as every function is of which nothing else is said.",
    consequence="Outside of a subquery PostgreSQL must call it for every row and can use no index for the comparison; and a function like"
    " random() gives another answer for the same row.",
    remedy="Declare functions that only read STABLE: alter function … stable.",
    references=("pgrls PERF002", "manual: Function Volatility Categories"),
    check=_volatile,
)


RULES = (UNWRAPPED, VOLATILE)
