"""What ordinary rows look like: members are active, nothing is deleted, expired, public or done with, and nobody rules over all tenants.

Rows that policies show to everybody on purpose would look like leaks, and members who are not active would see nothing. So where
a name, a default or a constant in a policy says which value is the ordinary one, that value is tried first; checks still decide.
"""

from __future__ import annotations

import re
from collections.abc import Container

from reconciler.pg import literal
from reconciler.shadow.tenants.catalogue import Column, Relation
from reconciler.shadow.tenants.roles import ADMIN, MEMBER
from reconciler.shadow.tenants.tenancy import Examined
from reconciler.shadow.tenants.tokens import mentions, tokens
from reconciler.shadow.tenants.values import Owned

_ON = re.compile(r"(^|_)(active|enabled|accepted|approved|confirmed|verified|valid|current)$")
_OFF = re.compile(
    r"(^|_)(public|published|listed|shared|global|open|anonymous|template|featured|visible|deleted|disabled|banned|blocked|suspended|revoked"
    r"|archived|removed|hidden|locked|expired|left|admin|superadmin|superuser|super|staff|root|system|default|personal|personal_account)$"
)
_GONE = re.compile(
    r"(deleted|removed|revoked|archived|suspended|disabled|banned|blocked|left|ended|cancell?ed|closed|locked)(_at|_on)?$"
)
_UNTIL = re.compile(
    r"(expires?(_at|_on)?|expiry(_date)?|expiration(_date)?|valid_(until|to)|effective_to|ends?_(at|on)|end_date|until)$"
)
_RULERS = re.compile(
    r"(^|_)(super_?)?(admins?|administrators?|super_?users?|staff|operators?|moderators?|roots?)$"
)
_NOW = re.compile(r"(pg_catalog\.)?now\(\)|CURRENT_TIMESTAMP|statement_timestamp\(\)")
_CONSTANT = re.compile(r"('(?:[^']|'')*'|-?\d+(\.\d+)?|true|false)(::[\w .()\"]+)?\Z")


def typical(seen: Examined, relation: Relation, owned: Owned) -> dict[str, str]:
    """By column the value, as an SQL expression, with which a row is an ordinary one."""
    found: dict[str, str] = {}
    mentioned = _mentioned(relation)
    people = owned.ownership in ("membership", "root") or relation.oid in seen.marks.user_tables
    for column in relation.columns:
        value = _by_name(column, seen.reader.still_open())
        if not value and people:
            value = _by_constant(seen, relation, column)
        if not value:
            value = _by_view(seen, relation, column)
        if not value and (people or column.name in mentioned) and column.name not in owned.columns:
            constant = _CONSTANT.fullmatch(column.default) or _NOW.fullmatch(column.default)
            if constant and not _nothing_left(relation, column):
                value = column.default
            elif column.type == "boolean":
                value = "false"
        if value:
            found[column.name] = value
    return found


def leaving(relation: Relation) -> dict[str, tuple[str | None, str]]:
    """The columns that say that a row is gone although it is there (`deleted_at`, `is_archived`): their values before and after, as text."""
    found: dict[str, tuple[str | None, str]] = {}
    for column in relation.columns:
        if column.generated or not _GONE.search(column.name):
            continue
        if column.type == "boolean":
            found[column.name] = ("false", "true")
        elif column.type.startswith(("timestamp", "date")) and not column.not_null:
            found[column.name] = (None, "2026-01-01")
    return found


def rules_over_all(seen: Examined, oid: int, owned: Owned) -> bool:
    """Whether the table says, by its name and by who asks it, which users may do everything: a row for a member would make them one."""
    relation = seen.known.relations[oid]
    asked = any((oid, column) in seen.found.elsewhere for column in owned.columns)
    return (
        owned.ownership == "user"
        and asked
        and bool(_RULERS.search(relation.name))
        and oid != seen.marks.users
    )


def _mentioned(relation: Relation) -> set[str]:
    """The names in the policies of a table."""
    texts = [text for policy in relation.policies for text in (policy.using, policy.check)]
    return {token.text for text in texts for token in tokens(text) if token.kind == "name"}


def _by_name(column: Column, still_open: Container[str]) -> str:
    if column.type == "boolean":
        return "true" if _ON.search(column.name) else "false" if _OFF.search(column.name) else ""
    if column.type.startswith(("timestamp", "date")):
        if not column.not_null and (column.name in still_open or _GONE.search(column.name)):
            return f"cast(null as {column.type})"
        if _UNTIL.search(column.name):
            return f"cast(null as {column.type})" if not column.not_null else f"'2099-12-31'::{column.type}"
    return ""


def _nothing_left(relation: Relation, column: Column) -> bool:
    """Whether the default is a nought below which a check lets nothing go: of such a balance nothing could be taken."""
    return bool(re.fullmatch(r"\(?0(\.0*)?\)?(::[\w ]+)?", column.default)) and any(
        re.search(rf"\b{re.escape(column.name)}\b\"?\)? >=? \(?0", check) for check in relation.checks
    )


def _by_view(seen: Examined, relation: Relation, column: Column) -> str:
    """What a materialized view picks the rows by: else there would be none of it to show, and no policy guards it."""
    for view in seen.known.relations.values():
        if view.kind != "m" or not mentions(view.definition, relation.name):
            continue
        picked = re.search(rf"\b{re.escape(column.name)}\"? = '(\w+)'::", view.definition)
        if picked and not _OFF.search(picked[1]):
            return literal(picked[1])
    return ""


def _by_constant(seen: Examined, relation: Relation, column: Column) -> str:
    """What policies compare the column of a member or user with, or the ordinary one of its labels."""
    words = [
        w for w in seen.found.constants.get((relation.oid, column.name), ()) if w and not ADMIN.search(w)
    ]
    labels = seen.known.labels.get(column.type, ())
    if labels:
        words = [w for w in words if w in labels]
    elif column.type not in ("text", "character varying", "citext") and not column.type.startswith(
        "character varying"
    ):
        words = []
    if not words and re.search(r"(^|_)(role|status|state)$", column.name):
        checked = [
            t.text
            for check in relation.checks
            for found in [tokens(check)]
            if any(t.kind == "name" and t.text == column.name for t in found)
            for t in found
            if t.kind == "string"
        ]
        wanted = (
            MEMBER
            if column.name.endswith("role")
            else re.compile("^(active|accepted|enabled|approved)$", re.IGNORECASE)
        )
        words = [w for w in (*labels, *checked) if wanted.search(w) and not ADMIN.search(w)]
    return literal(words[0]) if words else ""
