"""What the statements of a plan do to rows themselves: what is found in a table they write to may be put right by them.

Reads the text of statements, and when in doubt says that they write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.model import ObjectId, Statement
from reconciler.plan.doubts.text import unquoted
from reconciler.plan.quarantine.registry import SCHEMA as QUARANTINE
from reconciler.run.nature import head

_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = rf"(?:only\s+)?(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})"
_DML = re.compile(
    rf"\b(?:(?:insert\s+into|delete\s+from|merge\s+into|truncate(?:\s+table)?|copy)\s+{_TABLE}"
    rf"|update\s+{_TABLE.replace('schema', 'schema2').replace('name>', 'name2>')}\s+(?:as\s+)?(?:{_NAME}\s+)?set\b)",
    re.IGNORECASE,
)
_FILL = re.compile(
    rf"update (?P<table>{_NAME}(?:\.{_NAME})?) set (?P<column>{_NAME}) = (?P<fill>.+) where (?P=column) is null\Z",
    re.DOTALL,
)
_DEFINES = re.compile(
    r"create\s+(or\s+replace\s+)?(function|procedure|trigger|rule|policy|view|event\s+trigger|type|domain)\b"
    r"|(grant|revoke|comment|alter\s+default)\b",
    re.IGNORECASE,
)
_CASTS = re.compile(
    rf"alter\s+table\s+(?:if\s+exists\s+)?{_TABLE}\s.*\btype\b.*\busing\b", re.IGNORECASE | re.DOTALL
)
_DYNAMIC = re.compile(r"\bexecute\b", re.IGNORECASE)
_OPAQUE = re.compile(r"(do|call|select|with|execute|perform)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Writes:
    """`fills` are the rows without a value that get one, by column; `tables` are written to otherwise, by (schema, name), and the
    schema is empty where the statement names none; with `anything` nobody can say what else is. To those in `back` kept rows
    and values come back."""

    fills: dict[ObjectId, str] = field(default_factory=dict)
    tables: frozenset[tuple[str, str]] = frozenset()
    anything: bool = False
    back: frozenset[ObjectId] = frozenset()

    def touch(self, *tables: ObjectId) -> bool:
        """Whether one of these is written to, other than by a fill that is known."""
        return (
            self.anything
            or any(table in self.back for table in tables)
            or any((schema, table.name) in self.tables for table in tables for schema in ("", table.schema))
        )


def writes(statements: Iterable[Statement]) -> Writes:
    """What all of them together write."""
    fills: dict[ObjectId, str] = {}
    tables: set[tuple[str, str]] = set()
    back: set[ObjectId] = set()
    anything = False
    for statement in statements:
        sql = head(statement.sql)
        if _DEFINES.match(sql):
            continue
        own = statement.source != "hand"
        id = statement.subject
        filled = _FILL.match(sql)
        if own and filled and id is not None and id.kind == "column":
            fills[id] = filled["fill"]
            continue
        for found in _DML.finditer(sql):
            schema, name = found["schema"] or found["schema2"] or "", found["name"] or found["name2"]
            tables.add((unquoted(schema), unquoted(name)))
        if own and id is not None and sql.startswith("do ") and _DYNAMIC.search(sql):
            tables.add((id.schema, id.name))
        if own and id is not None and QUARANTINE in sql:
            back.add(ObjectId("table", id.schema, id.name))  # kept rows and values come back
        if not own and (altered := _CASTS.match(sql)):
            tables.add(
                (unquoted(altered["schema"] or ""), unquoted(altered["name"]))
            )  # by an expression of a person's own
        if not own and _OPAQUE.match(sql):
            anything = True
    return Writes(fills, frozenset(tables), anything, frozenset(back))
