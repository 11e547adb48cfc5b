"""Rules about the words by which a policy knows its caller: an e-mail address, a role that does not exist, a setting misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules.conditions import bare, calls, comparisons
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding

_EMAIL = re.compile(r"\bauth\.email\(\)|->> 'email'::text")


def _email(subject: Subject) -> Iterator[Finding]:
    for table, policy in subject.catalog.own_policies():
        for name, condition in policy.conditions:
            if _EMAIL.search(condition.text):
                yield EMAIL.finding(
                    policy.id,
                    f"Policy {policy.name} on {table.id} knows its caller by the e-mail address: {name} ({condition.text}).",
                    detail=name.replace(" ", "_"),
                )


EMAIL = Rule(
    id="POL017",
    title="A policy knows its caller by the e-mail address",
    severity="info",
    condition="A policy compares with auth.email() or the claim email.",
    consequence="An address changes, has several spellings, and may later belong to somebody else: rows are lost to their owner, or"
    " found by a stranger.",
    remedy="Compare the user's id: user_id = (select auth.uid()).",
    references=("pgrls SEC034",),
    check=_email,
)


def _unknown_role(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    if catalog.platform != "supabase":
        return
    for table, policy in catalog.own_policies():
        unknown: set[str] = set()
        for _, condition in policy.conditions:
            for one, other, _, _ in comparisons(condition.tree):
                function, word = catalog.functions.get(bare(one).number("funcid")), bare(other).text
                if function is not None and (function.id.schema, function.id.name) == ("auth", "role"):
                    unknown |= {word} - set(catalog.roles) if word is not None else set()
        if unknown:
            listed = ", ".join(f"'{name}'" for name in sorted(unknown))
            yield UNKNOWN_ROLE.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} asks whether auth.role() is {listed}: no role has that name.",
            )


UNKNOWN_ROLE = Rule(
    id="POL018",
    title="A policy waits for a role that does not exist",
    severity="warning",
    condition="On Supabase, a policy compares auth.role() with a text that is the name of no role.",
    consequence="auth.role() is anon, authenticated or service_role. A comparison with anything else is never true; with <>, always.",
    remedy="Compare with one of those; for roles of your own read a table of members or app_metadata.",
    references=("pgrls SEC037",),
    check=_unknown_role,
)

_BUILT_IN = frozenset(
    {"role", "application_name", "session_authorization", "is_superuser", "timezone", "search_path"}
)


def _unqualified(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for table, policy in catalog.own_policies():
        found: set[str] = set()
        for _, condition in policy.conditions:
            for node, oid in calls(condition.tree):
                function = catalog.functions.get(oid)
                if function is not None and (function.id.schema, function.id.name) == (
                    "pg_catalog",
                    "current_setting",
                ):
                    name = node.nodes("args")[0].text
                    if name is not None and "." not in name and name.lower() not in _BUILT_IN:
                        found.add(name)
        if found:
            listed = ", ".join(f"'{name}'" for name in sorted(found))
            yield UNQUALIFIED.finding(
                policy.id,
                f"Policy {policy.name} on {table.id} reads the setting {listed}, which nobody can set: it has no prefix.",
            )


UNQUALIFIED = Rule(
    id="POL019",
    title="A policy reads a setting that cannot be set",
    severity="warning",
    condition="A policy reads a setting whose name has no dot and is not one of PostgreSQL's own.",
    consequence="Settings of an application need a prefix (app.org_id). One without is never there: the policy fails, or finds no row.",
    remedy="Write the name as the application sets it, with its prefix.",
    references=("pgrls SEC024", "manual: Customized Options"),
    check=_unqualified,
)

RULES = (EMAIL, UNKNOWN_ROLE, UNQUALIFIED)
