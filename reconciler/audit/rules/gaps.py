"""Rules about what tables lack: a policy that allows, one for each granted command, a word on whose the rows are."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import reach
from reconciler.audit.rules.catalog import COMMANDS, PUBLIC
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding


def _only_restrictive(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        policies = catalog.policies_of(table)
        if table.rls and policies and not any(policy.permissive for policy in policies):
            listed = ", ".join(policy.name for policy in policies)
            yield ONLY_RESTRICTIVE.finding(
                table.id,
                f"{table.id} has only restrictive policies ({listed}): nothing lets any row through.",
            )


ONLY_RESTRICTIVE = Rule(
    id="RLS005",
    title="Only restrictive policies: no row passes",
    severity="info",
    condition="Row-level security is enabled, and every policy of the table is restrictive.",
    consequence="Restrictive policies take away from what permissive ones allow. Without one that allows, everybody whom"
    " row-level security binds sees nothing and writes nothing, without an error.",
    remedy="Add the permissive policy that the restrictive ones are meant to narrow.",
    references=("pgrls SEC012", "manual: CREATE POLICY"),
    check=_only_restrictive,
)


def _without_policy(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        allowing = [policy for policy in catalog.policies_of(table) if policy.permissive]
        if not table.rls or not allowing:
            continue
        everybody = frozenset(role for policy in allowing for role in policy.roles)
        idle: dict[str, tuple[str, ...]] = {}
        for to, held in reach.holders(catalog, table, *COMMANDS).items():
            acting = everybody if to == PUBLIC else reach.acting(catalog, to)
            served = {command for p in allowing if acting & set(p.roles) for command in p.commands}
            lacking = tuple(command for command in held if command not in served)
            if lacking:
                idle[to] = lacking
        if idle:
            yield WITHOUT_POLICY.finding(
                table.id, f"{table.id} has no policy for what is granted: {reach.words(idle)}."
            )


WITHOUT_POLICY = Rule(
    id="RLS006",
    title="A command is granted that no policy is for",
    severity="info",
    condition="A role holds SELECT, INSERT, UPDATE or DELETE on a table whose permissive policies name that command for others only,"
    " or not at all.",
    consequence="An insert is refused; a select, update or delete finds no row and says nothing. Code that relies on it fails in"
    " silence, and the privilege waits for the first policy that is too wide.",
    remedy="Revoke the privilege, or write the policy that it was granted for.",
    references=("pgrls SEC022",),
    check=_without_policy,
)


def _unknown(subject: Subject) -> Iterator[Finding]:
    for owned in subject.tenancy.tables.values() if subject.tenancy else ():
        table = subject.catalog.by_id.get(owned.table)
        if owned.ownership == "unknown" and table is not None and table.id.schema in subject.catalog.ours:
            yield UNKNOWN.finding(
                table.id, f"Nothing says whose the rows of {table.id} are.", evidence=owned.why
            )


UNKNOWN = Rule(
    id="RLS009",
    title="Nothing says whose the rows of a table are",
    severity="info",
    condition="No policy, foreign key, column name or configuration tells whether a table belongs to a tenant, to a user or to"
    " everybody.",
    consequence="The audit cannot tell a leak from a table that is shared on purpose, and leaves its cells undecided.",
    remedy="Say it in the configuration: audit: {tables: {public.countries: global}}, or name the column that says whose a row"
    " is: audit: {tables: {public.notes: owner_id}}.",
    check=_unknown,
)

RULES = (ONLY_RESTRICTIVE, WITHOUT_POLICY, UNKNOWN)
