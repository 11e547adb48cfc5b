"""Who may be: the roles that act on a database, and what a member of a tenant may be called in a table of memberships."""

from __future__ import annotations

import re
from collections.abc import Sequence

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.claims import STEMS, stem
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.tokens import tokens
from reconciler.shadow.tenants.values import Owned

Connection = psycopg.Connection[TupleRow]

ADMIN = re.compile(r"owner|admin|super|manage|root|principal|director|boss", re.IGNORECASE)
SUPER = re.compile(r"super|platform|system|root|global|site_?admin", re.IGNORECASE)
"""Who may do things to all tenants: nobody of A is that."""
MEMBER = re.compile(
    r"member|user|viewer|reader|editor|staff|employee|agent|guest|basic|standard", re.IGNORECASE
)
_RIGHT = re.compile(r"(can|may)_[a-z]")
_ROLE = re.compile(r"role|level|permission|rank|kind|type")


def label(words: Sequence[str], admin: bool) -> str:
    """The word among these that says what a person may do in their own tenant; "admin" or "member" where none does."""
    mine = [w for w in words if not SUPER.search(w)]
    above = sorted((w for w in mine if ADMIN.search(w)), key=lambda w: not w.lower().startswith("admin"))
    below = [w for w in mine if w not in above]
    usual = [w for w in below if MEMBER.search(w)]
    return [*above, "admin"][0] if admin else [*usual, *below, "member"][0]


def ranked(seen: Examined, relation: Relation, owned: Owned) -> bool:
    """Whether the table says what people may do within their tenant: a membership, or users and profiles that name a tenant."""
    people = relation.oid in seen.marks.user_tables or relation.oid in seen.marks.people
    return owned.ownership == "membership" or (people and owned.ownership == "tenant")


def labels(seen: Examined, membership: Relation) -> dict[str, tuple[str, ...]]:
    """The column that says what a member may do, and its values by turns: an ordinary member, one who may do more."""
    for column in membership.columns:
        # a flag that says no more than “admin” may be about all tenants
        if (
            column.type == "boolean"
            and ADMIN.search(column.name)
            and set(column.name.split("_")) & set(STEMS)
        ):
            return {column.name: ("false", "true", "false")}
        if column.generated or not _ROLE.search(column.name):
            continue
        words = list(seen.found.constants.get((membership.oid, column.name), ()))
        closed = list(seen.known.labels.get(column.type, ()))
        for check in membership.checks:
            found = tokens(check)
            if any(t.kind == "name" and t.text == column.name for t in found):
                closed += [t.text for t in found if t.kind == "string"]
        words = [w for w in dict.fromkeys([*words, *closed]) if re.fullmatch(r"[\w -]+", w)]
        free = not closed and stem(column.name) == "role" and column.type in ("text", "character varying")
        dealt = (label(words, False), label(words, True))
        if any(ADMIN.search(w) for w in words) and (free or set(dealt) <= set(words)):
            return {column.name: (*dealt, dealt[0])}
    return _rights(seen, membership)


def _rights(seen: Examined, membership: Relation) -> dict[str, tuple[str, ...]]:
    """Where each right is a flag of the membership (`can_close`): an ordinary member has what the defaults give, one has all of them."""
    owned = seen.tenancy.tables.get(membership.id)
    flags = [
        c
        for c in membership.columns
        if c.type == "boolean" and not c.generated and _RIGHT.match(c.name)
        and owned is not None and owned.ownership == "membership"
    ]  # fmt: skip
    plain = {c.name: "true" if c.default == "true" else "false" for c in flags}
    return (
        {name: (value, "true", value) for name, value in plain.items()} if "false" in plain.values() else {}
    )


def dealt(connection: Connection, seen: Examined, membership: Relation) -> dict[str, tuple[str, ...]]:
    """The same where the role is a row of a table of roles that all tenants share."""
    for key in membership.keys:
        target = seen.known.relations.get(key.target)
        named = target is not None and (_ROLE.search(key.columns[0]) or _ROLE.search(target.name))
        if target is None or not named or len(key.columns) != 1 or target.id not in seen.tenancy.tables:
            continue
        if seen.tenancy.tables[target.id].ownership not in ("global", "unknown"):
            continue
        texts = [
            c.name
            for c in target.columns
            if c.type in ("text", "character varying", "citext") or c.type.startswith("character varying")
        ]
        told = [n for n in texts if re.search(r"name|slug|code|key|title|role|label", n)] or texts[:1]
        if not told:
            continue
        rows = connection.execute(
            f"select {ident(key.theirs[0])}::text, {ident(told[0])}::text from {target.sql} where {ident(told[0])} is not null order by 1".encode()
        ).fetchall()
        by_word = {word: value for value, word in rows}
        member, admin = label(list(by_word), False), label(list(by_word), True)
        if member in by_word and admin in by_word:
            return {key.columns[0]: (by_word[member], by_word[admin], by_word[member])}
    return {}


def named(seen: Examined) -> set[str]:
    """The roles to which a right on some table or view was given, or for which there is a policy."""
    found = {role for r in seen.known.relations.values() for role, _, _ in r.rights}
    found |= {role for r in seen.known.tables for policy in r.policies for role in policy.roles}
    return found & seen.known.roles.keys()


def ordinary(seen: Examined) -> tuple[str, ...]:
    """The roles bound by row-level security that have a right on some table or view, or a policy, those with most first; owners and anon
    left out."""
    found = {n for n in named(seen) if not seen.known.roles[n].bypasses} - set(owners(seen)) - {"anon"}
    rights = [role for r in seen.known.relations.values() for role, _, _ in r.rights]
    return tuple(sorted(found, key=lambda role: (-rights.count(role), role)))


def bypassing(seen: Examined) -> tuple[str, ...]:
    """The roles with rights that row-level security does not bind, owners left out."""
    return tuple(sorted(n for n in named(seen) if seen.known.roles[n].bypasses and n not in owners(seen)))


def owners(seen: Examined) -> tuple[str, ...]:
    """Who owns the tables that belong to a tenant or a user, the table of users left out, which may be the platform's."""
    owned = {id for id, o in seen.tenancy.tables.items() if o.owner}
    owned = owned - {seen.tenancy.users} or owned
    return tuple(sorted({r.owner for r in seen.known.tables if r.id in owned and not r.extension}))
