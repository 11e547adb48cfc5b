"""Rules about indexes and the number of policies, checked against the plans that PostgreSQL makes where there is a role to ask as."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names
from reconciler.audit.rules.catalog import COMMANDS, PUBLIC, Catalog, Relation
from reconciler.audit.rules.conditions import always, asks, bare, columns, conjuncts, disjuncts, reads
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.tree import Node
from reconciler.model import Finding, ObjectId
from reconciler.pg import ident


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
        plans = subject.plans.get((table.oid, "select"), ())
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
        made = [plan for plan in subject.plans.get((table.oid, "select"), ()) if not plan.trouble]
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


def _key_unindexed(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for key in catalog.foreign_keys:
        table = catalog.relations.get(key.table)
        if table is None or table.id.schema not in catalog.ours or table.member or table.partition:
            continue
        columns = set(key.columns)
        first = (set(i.columns[: len(columns)]) for i in catalog.indexes_of(table) if not i.partial)
        if columns not in first:
            yield KEY_UNINDEXED.finding(
                key.id,
                f"No index of {table.id} begins with the columns of its foreign key {key.id.part} ({', '.join(key.columns)}).",
                remedy=f"create index on {names.on(table)} ({', '.join(map(ident, key.columns))});",
            )


KEY_UNINDEXED = Rule(
    id="PRF006",
    title="A foreign key has no index",
    severity="info",
    condition="No index begins with the columns of a foreign key, in whichever order.",
    consequence="Whoever deletes a row that may be pointed at, or changes its key, has PostgreSQL look for pointers through the whole table,"
    " with the rows of all tenants; so does every policy and view that goes from there to here.",
    remedy="create index concurrently on … (the columns of the key).",
    references=("splinter 0001",),
    check=_key_unindexed,
)

RULES = (UNINDEXED, SEVERAL, ROW_BY_ROW, KEY_UNINDEXED)
