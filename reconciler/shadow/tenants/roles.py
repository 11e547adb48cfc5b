"""Who may be: the roles that act on a database, and what a member of a tenant may be called in a table of memberships."""

from __future__ import annotations

import re

from reconciler.shadow.tenants import expressions
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.claims import stem
from reconciler.shadow.tenants.tenancy import Examined

_ADMIN = re.compile(r"owner|admin|super|manage|root", re.IGNORECASE)
_MEMBER = re.compile(
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
            (w for w in words if _ADMIN.search(w)), None
        )
        member = next((w for w in words if _MEMBER.search(w) and not _ADMIN.search(w)), None)
        member = member or next((w for w in words if w != admin), None)
        free = (
            stem(column.name) == "role"
            and column.type in ("text", "character varying")
            and not any(column.name in c for c in membership.checks)
        )
        if admin and (member or free):
            return {column.name: (member or "member", admin, member or "member")}
    return {}
