"""Rules about what policies cost, checked against the plans that PostgreSQL makes of them where there is a role to ask as."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names
from reconciler.audit.rules.catalog import COMMANDS, PUBLIC, Catalog, Function, Policy, Relation
from reconciler.audit.rules.conditions import always, asking, asks, bare, columns, conjuncts, disjuncts, reads
from reconciler.audit.rules.plans import Plan
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.tree import Node
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident


def _each_row(node: Node) -> Iterator[Node]:
    """The nodes that are evaluated for each row: all but those inside subqueries."""
    yield node
    for name, value in node.fields.items():
        if node.kind == "SUBLINK" and name == "subselect":
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Node):
                yield from _each_row(inner)
            elif isinstance(inner, list):
                for deeper in inner:
                    if isinstance(deeper, Node):
                        yield from _each_row(deeper)


def _called(catalog: Catalog, policy: Policy) -> Iterator[tuple[Node, Function]]:
    """The functions that USING calls for each row."""
    for node in _each_row(policy.using.tree) if policy.using is not None else ():
        function = catalog.functions.get(node.number("funcid") or node.number("opfuncid"))
        if function is not None:
            yield node, function


def _seen(plans: tuple[Plan, ...], called: set[str]) -> tuple[bool, str]:
    """Whether a plan shows one of these calls in a filter (or nothing can be said), and the evidence in words."""
    made = [plan for plan in plans if not plan.trouble]
    for plan in made:
        for text in plan.filters:
            if any(f"{name}(" in text for name in called):
                return True, f"explain as {plan.role}: Filter: {text}"
    if made:
        return False, ""
    return (
        True,
        f"not confirmed by a plan: {plans[0].trouble}"
        if plans
        else "not confirmed by a plan: no role to ask as",
    )


def _unwrapped(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        if (
            "select" not in policy.commands
            and "update" not in policy.commands
            and "delete" not in policy.commands
        ):
            continue
        found = {
            f.oid: f
            for node, f in _called(catalog, policy)
            if f.oid in asking(catalog) and f.volatility != "v" and not columns(node)
        }
        if not found or not table.rls:
            continue
        # PostgreSQL puts the body of a simple SQL function in place of its call.
        shown, evidence = _seen(
            subject.plans.get(table.oid, ()), {f.id.name for f in found.values()} | {"current_setting"}
        )
        if shown:
            listed = ", ".join(sorted(f"{f.id.schema}.{f.id.name}()" for f in found.values()))
            yield UNWRAPPED.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} calls {listed} again for every row.",
                evidence=evidence,
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
        found = {f.oid: f for _, f in _called(catalog, policy) if f.volatility == "v"}
        if not found or not table.rls:
            continue
        shown, evidence = _seen(subject.plans.get(table.oid, ()), {f.id.name for f in found.values()})
        own = [f for f in found.values() if f.id.schema in catalog.ours]
        if shown:
            yield VOLATILE.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} calls {', '.join(sorted(str(f.id) for f in found.values()))}, which is volatile.",
                evidence=evidence,
                remedy="\n".join(f"alter {names.routine(f)} stable;" for f in own)
                if len(own) == len(found)
                else "",
            )


VOLATILE = Rule(
    id="PRF003",
    title="A policy calls a volatile function",
    severity="info",
    condition="The USING of a policy calls a function declared VOLATILE (as every function is of which nothing else is said) for each row.",
    consequence="PostgreSQL may neither use an index for the comparison nor evaluate it once; and a function like random() gives another"
    " answer for the same row.",
    remedy="Declare functions that only read STABLE: alter function … stable.",
    references=("pgrls PERF002", "manual: Function Volatility Categories"),
    check=_volatile,
)


def _compared(catalog: Catalog, table: Relation, tree: Node) -> Iterator[tuple[str, Node]]:
    """The columns of a branch that are, as they are, held equal to something that does not depend on the row."""
    for part in conjuncts(tree):
        function = catalog.functions.get(part.number("opfuncid"))
        is_equality = function is not None and function.id.name.endswith("eq")
        sides = part.nodes("args") if part.kind in ("OPEXPR", "SCALARARRAYOPEXPR") and is_equality else ()
        for one, other in (sides, sides[::-1]) if len(sides) == 2 else ():
            column = table.column(one.number("varattno")) if one.kind == "VAR" and columns(one) else None
            if column is not None and not columns(bare(other)):
                yield column.name, other


def _conditions(catalog: Catalog, table: Relation) -> list[Node]:
    found = [
        p.using
        for p in catalog.policies_of(table)
        if p.permissive and "select" in p.commands and p.using is not None
    ]
    return [
        branch for condition in found if always(condition) is None for branch in disjuncts(condition.tree)
    ]


def _unindexed(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        branches = _conditions(catalog, table) if table.rls and not table.partition else []
        found = [pair for branch in branches for pair in _compared(catalog, table, branch)]
        wanted = {column for column, other in found if asks(catalog, other)}
        plans = subject.plans.get(table.oid, ())
        made = [plan for plan in plans if not plan.trouble]
        leading = {i.columns[0] for i in catalog.indexes_of(table) if i.columns and not i.partial}
        lacking = sorted(wanted - leading)
        if not lacking or any(plan.indexed for plan in made):
            continue
        evidence = (
            f"explain as {made[0].role} with enable_seqscan = off: no index condition"
            if made
            else f"not confirmed by a plan: {plans[0].trouble if plans else 'no role to ask as'}"
        )
        yield UNINDEXED.finding(
            table.id,
            f"No index of {table.id} begins with {', '.join(lacking)}, which its policies hold equal to the caller's.",
            evidence=evidence,
            remedy="\n".join(f"create index on {names.on(table)} ({ident(column)});" for column in lacking),
        )


UNINDEXED = Rule(
    id="PRF002",
    title="No index begins with the column that policies compare",
    severity="info",
    condition="The policies for SELECT hold a column equal to something of the caller's, no index begins with that column, and the plan has no index condition even when reading the whole table is made dear.",
    consequence="Every query reads the rows of all tenants to show those of one: it grows slower with each tenant that comes.",
    remedy="create index concurrently on … (org_id); or put the column first in an index that exists.",
    references=("pgrls PERF003", "pgrls PERF005"),
    check=_unindexed,
)


def _row_by_row(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        branches = _conditions(catalog, table) if table.rls and not subject.is_shared(table) else []
        made = [plan for plan in subject.plans.get(table.oid, ()) if not plan.trouble]
        loose = [
            branch
            for branch in branches
            if columns(branch)
            and (asks(catalog, branch) or reads(branch))
            and not any(_compared(catalog, table, branch))
        ]
        if loose and made and not any(plan.indexed for plan in made):
            yield ROW_BY_ROW.finding(
                table.id,
                f"No index can serve the policies of {table.id}: {len(loose)} of {len(branches)} conditions can only be answered row by row.",
                evidence=f"explain as {made[0].role} with enable_seqscan = off: no index condition",
            )


ROW_BY_ROW = Rule(
    id="PRF005",
    title="No index can serve the policies of a table",
    severity="info",
    condition="A branch of the policies for SELECT compares no column as it is: it calls a function of the row, asks a subquery about each row,"
    " or wraps the column; and the plan has no index condition.",
    consequence="Every query looks at each row of the table, whatever indexes there are.",
    remedy="Turn it around: org_id = any (array(select m.org_id from members as m where m.user_id = (select auth.uid()))) finds the caller's"
    " tenants once and lets an index find their rows.",
    references=("pgrls PERF004",),
    check=_row_by_row,
)


def _several(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        allowing = [policy for policy in catalog.policies_of(table) if policy.permissive]
        for command in COMMANDS:
            meeting = [policy for policy in allowing if command in policy.commands]
            roles = sorted({role for policy in meeting for role in policy.roles})
            shared = [r for r in roles if sum(r in p.roles or PUBLIC in p.roles for p in meeting) > 1]
            if shared:
                listed = ", ".join(p.name for p in meeting if set(p.roles) & {*shared, PUBLIC})
                yield SEVERAL.finding(
                    ObjectId(table.id.kind, table.id.schema, table.id.name),
                    f"Of {table.id}, {command} is decided by several policies for the same role, joined by OR: {listed}.",
                    detail=command,
                )


SEVERAL = Rule(
    id="PRF004",
    title="Several permissive policies for one role and command",
    severity="info",
    condition="Two or more permissive policies of a table are for the same command and the same role.",
    consequence="A row passes when any of them lets it: each is evaluated until one does, and whoever reads one of them does not see what the"
    " others allow.",
    remedy="Make them one policy with an OR that can be read; or make the narrower one restrictive, if it was meant to narrow.",
    references=("splinter 0006", "pgrls SEC007"),
    check=_several,
)

RULES = (UNWRAPPED, UNINDEXED, VOLATILE, SEVERAL, ROW_BY_ROW)
