"""Rules about tables: is row-level security on, does it bind the owner, is there a policy?"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import reach, texts
from reconciler.audit.rules.catalog import COMMANDS, Catalog, Relation
from reconciler.audit.rules.conditions import reads
from reconciler.audit.rules.names import on
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding


def _off(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        if table.rls or catalog.policies_of(table) or subject.is_shared(table):
            continue
        if any(parent.rls for parent in catalog.ancestors(table)):
            continue
        held = reach.holders(catalog, table, *COMMANDS)
        owners = dict.fromkeys(reach.ordinary_owners(catalog, table), ("everything, as owner",))
        if held or (owners and any(other.rls for other in catalog.tables())):
            yield OFF.finding(
                table.id,
                f"Row-level security is off on {table.id}: {reach.words({**held, **owners})}, on every row.",
                remedy=f"alter table {on(table)} enable row level security;\nalter table {on(table)} force row level security;\n"
                "-- and a policy for each command that its users need",
            )


OFF = Rule(
    id="RLS001",
    title="Row-level security is off on a table that others reach",
    severity="warning",
    condition="A table without row-level security and without policies can be read or written by a role that is neither its owner"
    " nor privileged; or its owner is an ordinary login, in a database that protects other tables.",
    consequence="Whoever holds the privilege sees and changes every row, whosoever it is.",
    remedy="Enable and force row-level security and write a policy for each command that is needed; or revoke the"
    " privileges; or say in the configuration that the table is shared on purpose (audit.tables: {public.countries: global}).",
    references=("splinter 0013", "splinter 0023", "pgrls SEC001", "pgrls SEC049"),
    check=_off,
)


def _dormant(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        policies = catalog.policies_of(table)
        if policies and not table.rls:
            names = ", ".join(policy.name for policy in policies)
            yield DORMANT.finding(
                table.id,
                f"{table.id} has policies ({names}), but row-level security is off: none of them is asked.",
                remedy=f"alter table {on(table)} enable row level security;\nalter table {on(table)} force row level security;",
            )


DORMANT = Rule(
    id="RLS002",
    title="Policies exist, but row-level security is off",
    severity="warning",
    condition="A table has at least one policy and row-level security is not enabled on it.",
    consequence="The policies read like a protection and protect nothing: a forgotten line leaves the table open to everyone who"
    " holds a privilege on it.",
    remedy="Enable and force row-level security, or drop the policies.",
    references=("splinter 0007", "pgrls SEC032"),
    check=_dormant,
)


def _not_forced(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        owner = catalog.roles.get(table.owner)
        # A superuser is not bound by anything, forced or not.
        if not table.rls or table.forced or (owner is not None and owner.superuser):
            continue
        owners = reach.ordinary_owners(catalog, table)
        if owners == (table.owner,):
            who = ", and sessions are its own"
        else:
            who = f", and {', '.join(owners)} can act as it" if owners else ""
        relying = ", ".join(sorted(_relying(catalog, table)))
        because = f" That is how {relying} can use it." if relying else ""
        yield NOT_FORCED.finding(
            table.id,
            f"Row-level security of {table.id} does not bind its owner, {table.owner}{who}.{because}",
            # Forced, it would take their rows from those who rely on it, without an error.
            remedy="" if relying else f"alter table {on(table)} force row level security;",
            severity="warning" if owners else "info",
        )


def _relying(catalog: Catalog, table: Relation) -> Iterator[str]:
    """What looks at a table with the rights of its owner: functions, as far as their text says, and materialized views."""
    for function in catalog.own_functions():
        if function.definer and function.owner == table.owner and table in texts.tables(catalog, function):
            yield str(function.id)
    for view in catalog.relations_of("v", "m"):
        if (
            view.owner == table.owner
            and not view.invoker
            and view.query is not None
            and table.oid in reads(view.query)
        ):
            yield str(view.id)


NOT_FORCED = Rule(
    id="RLS003",
    title="Row-level security does not bind the owner",
    severity="warning",
    condition="A table that no superuser owns has row-level security, not forced. It is a warning where the owner is an ordinary role that logs in, or that a"
    " role which logs in is a member of, and an information elsewhere.",
    consequence="A session of the owner passes by every policy, and so does a SECURITY DEFINER function of the owner's, on every tenant's"
    " rows: what works for the migration works for the application.",
    remedy="Force row-level security on the table, or let a role own it that nobody logs in as. Functions that run as the owner and"
    " need every row are a reason not to: exempt the finding then, with that reason.",
    references=("pgrls SEC002", "pgrls SEC048"),
    check=_not_forced,
)


def _no_policy(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table in catalog.tables():
        # Below a table with policies that is how the way past them is closed.
        closed_on_purpose = any(
            parent.rls and catalog.policies_of(parent) for parent in catalog.ancestors(table)
        )
        if table.rls and not catalog.policies_of(table) and not closed_on_purpose:
            yield NO_POLICY.finding(
                table.id,
                f"{table.id} has row-level security and no policy: whom it binds sees no row and writes none.",
            )


NO_POLICY = Rule(
    id="RLS004",
    title="Row-level security without any policy",
    severity="info",
    condition="Row-level security is enabled on a table that has no policy. Partitions of a table that has some do not count.",
    consequence="Reads return nothing and writes are refused, without a word why. That is safe, and right for a table that only"
    " a privileged role uses; it is also what a forgotten policy looks like.",
    remedy="Write the policies. Where nobody bound by them shall use the table, revoke their privileges too, so that the"
    " refusal is an error instead of an empty result.",
    references=("splinter 0008", "pgrls SEC009"),
    check=_no_policy,
)

RULES = (OFF, DORMANT, NOT_FORCED, NO_POLICY)
