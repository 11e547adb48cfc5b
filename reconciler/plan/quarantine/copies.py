"""What a statement copies into the quarantine, read from its text: a migration file says it as a plan does.

Such a statement has no subject, for it changes nothing that the plan is about. Reads text only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from reconciler.model import ObjectId, Statement
from reconciler.plan.quarantine.registry import SCHEMA

_TEXT = r"(?:E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')"
_ENTERED = re.compile(
    rf"\b{SCHEMA}\.entered\({_TEXT}, {_TEXT}, (?P<kind>{_TEXT}), (?P<schema>{_TEXT}), (?P<name>{_TEXT}),"
    rf" array\[(?P<parts>{_TEXT}(?:, {_TEXT})*)\], "
)
_WHOLE = re.compile(rf"\b{SCHEMA}\.keep_copy\((?P<schema>{_TEXT}), (?P<name>{_TEXT}), ")


@dataclass(frozen=True, slots=True)
class Copy:
    """`columns` of `table`, as both are called where the statement stands; all of them where none is named. `kind` is what is kept:
    the whole table, columns of every row, or the values that become others."""

    kind: Literal["table", "column", "values"]
    table: ObjectId
    columns: tuple[str, ...] = ()


def copy_of(statement: Statement) -> Copy | None:
    """What it copies; None for a statement that copies nothing, or was written by hand."""
    if statement.source == "hand":
        return None
    if whole := _WHOLE.search(statement.sql):
        return Copy("table", _table(whole))
    if entered := _ENTERED.search(statement.sql):
        columns = tuple(_said(part) for part in re.findall(_TEXT, entered["parts"]))
        return Copy("column" if _said(entered["kind"]) == "column" else "values", _table(entered), columns)
    return None


def _table(found: re.Match[str]) -> ObjectId:
    return ObjectId("table", _said(found["schema"]), _said(found["name"]))


def _said(constant: str) -> str:
    """The text of a string constant."""
    inner = constant.removeprefix("E")[1:-1].replace("''", "'")
    return inner.replace("\\\\", "\\") if constant.startswith("E") else inner
