"""Rules about privileges: what row-level security does not look at, and what nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler.audit.rule import Rule
from reconciler.audit.rules import names, reach
from reconciler.audit.rules.catalog import COMMANDS, PUBLIC, Relation
from reconciler.audit.rules.subject import Subject
from reconciler.model import Finding, ObjectId, Severity
from reconciler.pg import ident
from reconciler.platforms import api_roles


def _protected(subject: Subject, table: Relation) -> bool:
    """Whether it has rows that not everybody may touch."""
    owned = subject.owned(table)
    return table.rls or (owned is not None and owned.ownership not in ("global", "unknown"))


def _beyond_the_api(subject: Subject, held: Iterable[str]) -> Severity | None:
    """Milder where only the platform's API speaks for all these roles, which has no such request; Supabase grants it on everything new."""
    return "info" if api_roles(subject.catalog.platform).issuperset(held) else None


def _truncate(subject: Subject) -> Iterator[Finding]:
    for table in subject.catalog.tables():
        held = reach.holders(subject.catalog, table, "truncate")
        if held and _protected(subject, table):
            yield TRUNCATE.finding(
                table.id,
                f"{', '.join(map(reach.shown, held))} may truncate {table.id}: all rows of all tenants, whatever the policies say.",
                remedy=f"revoke truncate on {names.on(table)} from {names.roles(tuple(held))};",
                severity=_beyond_the_api(subject, held),
            )


TRUNCATE = Rule(
    id="GRANT001",
    title="TRUNCATE is granted on a table of tenants",
    severity="warning",
    condition="A role that row-level security binds holds TRUNCATE on a table that is protected or belongs to tenants. An information where"
    " only Supabase's Data API speaks for it, which has no request that truncates.",
    consequence="TRUNCATE knows no policies: it removes every row, and fires no row trigger that would log it.",
    remedy="revoke truncate on table … from …",
    references=("manual: Row Security Policies",),
    check=_truncate,
)


def _is_told(subject: Subject, relation: Relation) -> bool:
    """Whether RLS001 and RLS002 say already that nothing stands between such a grant and the rows."""
    return relation.letter in "rp" and not relation.rls and not subject.is_shared(relation)


def _to_public(subject: Subject) -> Iterator[Finding]:
    for relation in subject.catalog.relations_of("r", "p", "v", "m"):
        privileges = tuple(reach.granted(relation.grants, *COMMANDS).get(PUBLIC, ()))
        if (
            privileges
            and not _is_told(subject, relation)
            and not (subject.is_shared(relation) and privileges == ("select",))
        ):
            yield TO_PUBLIC.finding(
                relation.id,
                f"Every role, today's and tomorrow's, may {', '.join(privileges)} on {relation.id}.",
                remedy=f"revoke all on {names.on(relation)} from public;",
            )


TO_PUBLIC = Rule(
    id="GRANT002",
    title="A privilege on a table is granted to PUBLIC",
    severity="warning",
    condition="PUBLIC holds SELECT, INSERT, UPDATE or DELETE on a view or a table with row-level security; without that RLS001 speaks. A"
    " table that is shared on purpose may be readable so.",
    consequence="Every role of the server has it, also one that is made for something else next year.",
    remedy="Revoke it, and grant it to the roles that need it.",
    references=("pgrls SEC003",),
    check=_to_public,
)


def _to_anonymous(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    nobody = reach.anonymous(catalog.platform) - {PUBLIC}
    for relation in catalog.relations_of("r", "p", "v", "m"):
        held = {to: p for to, p in reach.holders(catalog, relation, *COMMANDS).items() if to in nobody}
        if held and not subject.is_shared(relation) and not _is_told(subject, relation):
            protection = (
                "only row-level security stands before its rows"
                if relation.rls
                else "no policy stands before its rows"
            )
            yield TO_ANONYMOUS.finding(
                relation.id,
                f"On {relation.id}, {reach.words(held)} without having signed in; {protection}.",
                remedy=f"revoke all on {names.on(relation)} from {names.roles(tuple(held))};",
            )


TO_ANONYMOUS = Rule(
    id="GRANT003",
    title="Callers who have not signed in hold privileges on a table",
    severity="info",
    condition="The role of anonymous callers (anon on Supabase) holds SELECT, INSERT, UPDATE or DELETE on a view or a table with row-level"
    " security; without that RLS001 speaks. Tables that are shared on purpose do not count. Supabase grants them on everything new in public.",
    consequence="One policy for everybody, or one moment with row-level security off, opens it to the internet. Names and columns can be"
    " read in the API's description already.",
    remedy="Revoke what anonymous callers do not need.",
    references=("splinter 0026",),
    check=_to_anonymous,
)


def _meddling(subject: Subject) -> Iterator[Finding]:
    for table in subject.catalog.tables():
        held = reach.holders(subject.catalog, table, "trigger", "references")
        if held and _protected(subject, table):
            fires = any("trigger" in privileges for privileges in held.values())
            what = "put triggers on" if fires else "point foreign keys at"
            yield MEDDLING.finding(
                table.id,
                f"{', '.join(map(reach.shown, held))} may {what} {table.id}.",
                remedy=f"revoke trigger, references on {names.on(table)} from {names.roles(tuple(held))};",
                severity=_beyond_the_api(subject, held) if fires else "info",
            )


MEDDLING = Rule(
    id="GRANT005",
    title="TRIGGER or REFERENCES is granted on a table of tenants",
    severity="warning",
    condition="A role that row-level security binds holds TRIGGER or, as an information, REFERENCES on a table that is protected or"
    " belongs to tenants. An information for the roles of Supabase's Data API, too.",
    consequence="Its triggers run with the rights of whoever writes the table, other tenants and the server among them; its foreign keys"
    " tell which keys exist, whosoever they are.",
    remedy="revoke trigger, references on table … from …: an application needs neither.",
    references=("manual: Privileges",),
    check=_meddling,
)


def _sequences(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for sequence in catalog.relations_of("S"):
        setting = reach.holders(catalog, sequence, "update")
        if setting:
            yield SEQUENCES.finding(
                sequence.id,
                f"{', '.join(map(reach.shown, setting))} may set sequence {sequence.id} back or to its end, for all.",
                remedy=f"revoke update on sequence {names.on(sequence)} from {names.roles(tuple(setting))};",
                detail="update",
                severity=_beyond_the_api(subject, setting),
            )
        held = reach.holders(catalog, sequence, "usage", "select")
        if held:
            yield SEQUENCES.finding(
                sequence.id,
                f"{reach.words(held)} on sequence {sequence.id}: its numbers tell how much others write.",
                severity="info",
            )


SEQUENCES = Rule(
    id="GRANT008",
    title="A sequence that all tenants share is granted",
    severity="warning",
    condition="A role that row-level security binds holds UPDATE on a sequence or, as an information, USAGE or SELECT, or is one of"
    " Supabase's Data API.",
    consequence="No policy can be put on a sequence. With UPDATE setval() makes everybody's inserts fail; with the others two looks tell how"
    " many rows the other tenants wrote in between.",
    remedy="Revoke UPDATE and SELECT. An identity column needs no privilege on its sequence; a uuid needs no sequence.",
    references=("manual: Sequence Manipulation Functions",),
    check=_sequences,
)

_SECRET = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secret|api_?key|private_?key|access_token|refresh_token|session_token|otp|ssn|"
    r"social_security|tax_id|passport|iban|card_number|credit_card|cvv|date_of_birth|mfa)(_|$)",
    re.IGNORECASE,
)


def _secrets(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    nobody = reach.anonymous(catalog.platform)
    for table in catalog.relations_of("r", "p", "f"):
        for column in table.columns:
            if not _SECRET.search(column.name):
                continue
            to = {
                grant.to
                for grant in table.grants
                if grant.privilege == "select"
                and grant.to in nobody
                and (grant.column == column.name or (not grant.column and not table.rls))
            } & set(reach.holders(catalog, table, "select"))
            if to:
                yield SECRETS.finding(
                    ObjectId("column", table.id.schema, table.id.name, column.name),
                    f"{', '.join(map(reach.shown, sorted(to)))} may read column {column.name} of {table.id}.",
                    remedy=f"revoke select on {names.on(table)} from {names.roles(tuple(sorted(to)))};\n"
                    f"revoke select ({ident(column.name)}) on {names.on(table)} from {names.roles(tuple(sorted(to)))};",
                )


SECRETS = Rule(
    id="GRANT009",
    title="A column with the name of a secret is open to everybody",
    severity="warning",
    condition="PUBLIC or anonymous callers may read a column whose name is that of a secret or of personal data (password, token, iban …):"
    " on a table without row-level security, or by a grant of that very column.",
    consequence="What is in it belongs to nobody but its owner, and is a request away from anybody.",
    remedy="Revoke it. Keep such columns in a table of a schema that the API does not show.",
    references=("splinter 0023", "pgrls SEC045"),
    check=_secrets,
)


def _passing_on(subject: Subject) -> Iterator[Finding]:
    catalog = subject.catalog
    for relation in catalog.relations_of("r", "p", "v", "m", "f", "S"):
        who = sorted({g.to for g in relation.grants if g.grantable and not reach.is_unbound(catalog, g.to)})
        if who:
            yield PASSING_ON.finding(
                relation.id,
                f"{', '.join(map(reach.shown, who))} may pass on privileges on {relation.id}.",
                remedy=f"revoke grant option for all on {names.on(relation)} from {names.roles(tuple(who))} cascade;",
            )


PASSING_ON = Rule(
    id="GRANT010",
    title="A role may pass its privileges on",
    severity="info",
    condition="A role that row-level security binds holds a privilege WITH GRANT OPTION.",
    consequence="Who may do what is no longer decided where it is declared, and what was passed on outlives the reason.",
    remedy="revoke grant option for … on … from …",
    references=("manual: GRANT",),
    check=_passing_on,
)

RULES = (TRUNCATE, TO_PUBLIC, TO_ANONYMOUS, MEDDLING, SEQUENCES, SECRETS, PASSING_ON)
