"""Who may be: the roles that act on a database, and what a member of a tenant may be called in a table of memberships."""

from __future__ import annotations

import re

from reconciler.shadow.tenants import expressions
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.claims import stem
from reconciler.shadow.tenants.tenancy import Examined

ADMIN = re.compile(r"owner|admin|super|manage|root", re.IGNORECASE)
MEMBER = re.compile(
    r"member|user|viewer|reader|editor|staff|employee|agent|guest|basic|standard", re.IGNORECASE
)


def labels(seen: Examined, membership: Relation) -> dict[str, tuple[str, ...]]:
    """The column that says what a member may do, and its values by turns: an ordinary member, one who may do more."""
    for column in membership.columns:
        if column.generated or not re.search(r"role|level|permission|rank|kind|type", column.name):
            continue
        words = list(seen.found.constants.get((membership.oid, column.name), ()))
        for check in membership.checks:
            found = expressions.tokens(check)
            if any(t.kind == "name" and t.text == column.name for t in found):
                words += [t.text for t in found if t.kind == "string"]
        words += seen.known.labels.get(column.type, ())
        words = [w for w in dict.fromkeys(words) if re.fullmatch(r"[\w -]+", w)]
        admin = next((w for w in words if re.match(r"admin", w, re.IGNORECASE)), None) or next(
            (w for w in words if ADMIN.search(w)), None
        )
        member = next((w for w in words if MEMBER.search(w) and not ADMIN.search(w)), None)
        member = member or next((w for w in words if w != admin), None)
        free = (
            stem(column.name) == "role"
            and column.type in ("text", "character varying")
            and not any(column.name in c for c in membership.checks)
        )
        if admin and (member or free):
            return {column.name: (member or "member", admin, member or "member")}
    return {}


def named(seen: Examined) -> set[str]:
    """The roles to which a right on some table or view was given, or for which there is a policy."""
    found = {role for r in seen.known.relations.values() for role, _, _ in r.rights}
    found |= {role for r in seen.known.tables for policy in r.policies for role in policy.roles}
    return found & seen.known.roles.keys()


def ordinary(seen: Examined) -> tuple[str, ...]:
    """The roles bound by row-level security that have a right on some table or view, or a policy; owners and anon left out."""
    found = {n for n in named(seen) if not seen.known.roles[n].bypasses}
    return tuple(sorted(found - set(owners(seen)) - {"anon"}))


def bypassing(seen: Examined) -> tuple[str, ...]:
    """The roles with rights that row-level security does not bind, owners left out."""
    return tuple(sorted(n for n in named(seen) if seen.known.roles[n].bypasses and n not in owners(seen)))


def owners(seen: Examined) -> tuple[str, ...]:
    """Who owns the tables that belong to a tenant or a user, the table of users left out, which may be the platform's."""
    owned = {id for id, o in seen.tenancy.tables.items() if o.owner}
    owned = owned - {seen.tenancy.users} or owned
    return tuple(sorted({r.owner for r in seen.known.tables if r.id in owned and not r.extension}))
