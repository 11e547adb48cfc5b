"""Rules about whom a policy is for: everybody, callers whom nobody knows, roles that no policy binds."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import reach
from reconciler.audit.rules.catalog import PUBLIC
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding

_WRITES = frozenset({"insert", "update", "delete"})


def _for_public(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        if (
            not policy.permissive
            or PUBLIC not in policy.roles
            or (subject.is_shared(table) and policy.commands == ("select",))
        ):
            continue
        nobody = reach.anonymous(catalog.platform)
        held = {to: p for to, p in reach.holders(catalog, table, *policy.commands).items() if to in nobody}
        reached = f" {reach.words(held)}." if held else ""
        yield FOR_PUBLIC.finding(
            policy.id,
            f"Policy {policy.name} on {table.id} names no role, so it is for everybody.{reached}",
            severity="warning" if held else "info",
        )


FOR_PUBLIC = Rule(
    id="POL007",
    title="A policy is for everybody",
    severity="warning",
    condition="A permissive policy names no role (TO PUBLIC). It is a warning where callers whom nobody knows (PUBLIC, and anon on"
    " Supabase) hold the privilege, and an information elsewhere.",
    consequence="Every role that ever gets a privilege on the table passes by it, those that were never thought of among them; for"
    " callers without a claim the condition alone must hold.",
    remedy="Name the roles: alter policy … to authenticated.",
    references=("pgrls SEC003",),
    check=_for_public,
)


def _for_anonymous(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    named = reach.anonymous(catalog.platform) - {PUBLIC}
    for table, policy in catalog.own_policies():
        written = tuple(c for c in policy.commands if c in _WRITES)
        if policy.permissive and written and named & set(policy.roles):
            yield FOR_ANONYMOUS.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} lets callers who have not signed in {', '.join(written)}.",
            )


FOR_ANONYMOUS = Rule(
    id="POL008",
    title="A policy lets callers write who have not signed in",
    severity="warning",
    condition="A permissive policy for INSERT, UPDATE or DELETE names the role of anonymous callers (anon on Supabase).",
    consequence="Anybody with the address and the public key can write, as often as they like.",
    remedy="Let the policy be for authenticated, or let a function that checks its input be the only door.",
    references=("pgrls SEC039",),
    check=_for_anonymous,
)


def _for_unbound(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        unbound = tuple(role for role in policy.roles if reach.is_unbound(catalog, role))
        if unbound:
            yield FOR_UNBOUND.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} is for {', '.join(unbound)}, whom row-level security does not bind.",
            )


FOR_UNBOUND = Rule(
    id="POL009",
    title="A policy is for a role that no policy binds",
    severity="info",
    condition="A policy names a role that is a superuser or has BYPASSRLS (service_role on Supabase).",
    consequence="The role sees and writes every row, whatever the condition says. Who reads the policy believes the contrary.",
    remedy="Drop the policy, or take the role out of it; if it shall be bound, take BYPASSRLS from the role.",
    references=("pgrls SEC023",),
    check=_for_unbound,
)


RULES = (FOR_PUBLIC, FOR_ANONYMOUS, FOR_UNBOUND)
