"""Rules about what ties a row to its caller: which column, in which branch, and whether writing is tied as reading is.

A part of a condition *binds* when it mentions a column of the row and either the caller or a table that shows each caller
something else. Whose a row is comes from the tenancy, where somebody could tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names
from reconciler.audit.rules.catalog import Catalog, Condition, Policy, Relation
from reconciler.audit.rules.conditions import (
    always,
    asks,
    bare,
    columns,
    comparisons,
    conjuncts,
    disjuncts,
    mentioned,
    own_column,
    reads,
)
from reconciler.audit.rules.policies import is_floored
from reconciler.audit.rules.subject import Subject
from reconciler.audit.rules.tree import Node
from reconciler.model import Finding


def _bound(catalog: Catalog, table: Relation, tree: Node) -> frozenset[str]:
    """The columns by which a branch is tied to the caller."""
    found: set[str] = set()
    for part in conjuncts(tree):
        here = mentioned(table, part)
        if here and (asks(catalog, part) or any(_differs(catalog, oid, table) for oid in reads(part))):
            found |= here
    return frozenset(found)


def _differs(catalog: Catalog, oid: int, table: Relation) -> bool:
    """Whether a relation shows different callers different rows: it is protected, or a view, which may do anything."""
    relation = catalog.relations.get(oid)
    return relation is not None and (oid == table.oid or relation.rls or relation.letter not in "rp")


def _permissive(subject: Subject) -> Iterator[tuple[Relation, Policy, str, Condition]]:
    """The conditions that let rows through and that no restrictive policy narrows, without those that are always the same."""
    for table, policy in subject.catalog.own_policies():
        if not policy.permissive or is_floored(subject.catalog, table, policy):
            continue
        if subject.is_shared(table) and policy.commands == ("select",):
            continue
        for name, condition in policy.conditions:
            if always(condition) is None:
                yield table, policy, name, condition


def _no_column(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _permissive(subject):
        if not columns(condition.tree):
            yield NO_COLUMN.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} asks nothing about the row: {name} ({condition.text}).",
                detail=name.replace(" ", "_"),
            )


NO_COLUMN = Rule(
    id="POL024",
    title="A policy asks nothing about the row",
    severity="warning",
    condition="The condition of a permissive policy mentions no column of its table, and no restrictive policy narrows it.",
    consequence="It asks who is there and not what is theirs: whoever passes has the rows of all tenants.",
    remedy="Compare the column that says whose a row is with the caller.",
    references=("pgrls SEC005",),
    check=_no_column,
)


def _unbound(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy, name, condition in _permissive(subject):
        if not columns(condition.tree):
            continue
        branches = disjuncts(condition.tree)
        bound = [_bound(catalog, table, branch) for branch in branches]
        deciding = subject.deciding(table)
        if not any(bound):
            yield UNBOUND.finding(
                policy.id,
                f"Nothing in policy {policy.name} on {table.id} ties a row to its caller: {name} ({condition.text}).",
                detail=name.replace(" ", "_"),
            )
        elif deciding and all(bound) and not any(deciding & found for found in bound):
            yield UNBOUND.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} ties a row to its caller by {_listed(frozenset().union(*bound))}; what says whose"
                f" it is ({_listed(deciding)}) it does not ask.",
                detail=name.replace(" ", "_"),
                severity="info",
            )


UNBOUND = Rule(
    id="POL025",
    title="A policy does not tie a row to its caller",
    severity="warning",
    condition="The condition of a permissive policy compares no column of the row with the caller, nor with a table that shows"
    " each caller something else. It is an information where it does, but by another column than the one that says whose the row is.",
    consequence="A filter like status = 'open' or a membership that is not the caller's lets every tenant's rows through that meet it.",
    remedy="Add what ties it: org_id = (select …the caller's organisation…).",
    references=("pgrls SEC005", "pgrls SEC027"),
    check=_unbound,
)


def _widened(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy, name, condition in _permissive(subject):
        branches = disjuncts(condition.tree)
        bound = [_bound(catalog, table, branch) for branch in branches]
        deciding = subject.deciding(table)
        by_owner = [bool(found & deciding) if deciding else bool(found) for found in bound]
        if len(branches) > 1 and any(by_owner) and not all(bound):
            loose = sum(not found for found in bound)
            yield WIDENED.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} has {loose} of {len(branches)} branches that tie no row to its caller:"
                f" {name} ({condition.text}).",
                detail=name.replace(" ", "_"),
            )


WIDENED = Rule(
    id="POL026",
    title="An OR widens a policy beyond the caller's rows",
    severity="warning",
    condition="A branch of an OR in a permissive policy mentions no column together with the caller, while another branch does.",
    consequence="The branch lets rows of every tenant through that meet it: public ones, those without an owner, or all for a caller"
    " with the right role.",
    remedy="Put the tie in front: org_id = (…) and (a or b). What shall be public to all tenants belongs in a policy of its own"
    " for SELECT, so that it is seen.",
    references=("pgrls SEC004", "pgrls SEC007"),
    check=_widened,
)


def _check_looser(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        using, check = policy.using, policy.check
        if not policy.permissive or using is None or check is None or always(check) is not None:
            continue
        tied = frozenset().union(*(_bound(catalog, table, branch) for branch in disjuncts(using.tree)))
        lost = tied - mentioned(table, check.tree)
        wanted = lost & subject.deciding(table) if subject.deciding(table) else lost
        if wanted and not (tied - lost) and not is_floored(catalog, table, policy):
            yield CHECK_LOOSER.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} reads by {_listed(wanted)} and lets any value of it be written:"
                f" with check ({check.text}).",
                remedy=f"alter policy {names.policy(policy)} with check (({using.text}) and ({check.text}));",
            )


CHECK_LOOSER = Rule(
    id="POL027",
    title="WITH CHECK forgets whose the row is",
    severity="warning",
    condition="USING ties a row to its caller by a column that WITH CHECK does not mention.",
    consequence="One's own row can be written into another tenant, and a new one there.",
    remedy="Repeat in WITH CHECK what USING says of that column.",
    references=("pgrls SEC040",),
    check=_check_looser,
)


def _literal(subject: Subject) -> Iterator[Finding]:
    for table, policy, name, condition in _permissive(subject):
        deciding = subject.deciding(table)
        pinned: set[str] = set()
        for one, other, depth, _ in comparisons(condition.tree):
            column, value = own_column(table, one, depth), bare(other)
            if column is not None and value.kind == "CONST" and value["constisnull"] == "false":
                pinned |= {column.name} & deciding
        if pinned:
            yield LITERAL.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} compares {_listed(frozenset(pinned))} with a constant: {name} ({condition.text}).",
                detail=name.replace(" ", "_"),
                severity="info",
            )


LITERAL = Rule(
    id="POL028",
    title="A policy names one tenant for ever",
    severity="info",
    condition="A policy compares the column that says whose a row is with a constant.",
    consequence="Every caller, of whichever tenant, gets the rows of that one.",
    remedy="Compare with the caller's claim. A tenant whose rows everybody may read is better kept in a table of its own.",
    references=("pgrls SEC021",),
    check=_literal,
)


def _listed(found: frozenset[str]) -> str:
    return ", ".join(sorted(found))


RULES = (NO_COLUMN, UNBOUND, WIDENED, CHECK_LOOSER, LITERAL)
