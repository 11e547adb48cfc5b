"""The same trigger for each statement instead of each row, where that is a matter of form: a body that appends one row for each row.

Takes a body apart by its words only as far as this one shape goes (`insert into … values (…)`, then RETURN), and says nothing of any other.
Whether it is cheaper is measured, never supposed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.lab.overhead.values import Event
from reconciler.pg import dollar, ident

_SHAPE = re.compile(
    r"\A\s*begin\s+insert\s+into\s+(?P<target>[\w.\"]+)\s*(?P<columns>\([^()]*\))?\s*values\s*\((?P<values>.*)\)\s*;"
    r"\s*return\s+(?:null|new|old)\s*;\s*end\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_ROW = {"INSERT": "new", "UPDATE": "new", "DELETE": "old"}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`function` and `trigger` create it beside the old one, which has to be switched off; `sql` replaces the old one."""

    name: str
    function: str
    trigger: str
    sql: str


def rewritten(
    schema: str, table: str, trigger: str, event: Event, routine: tuple[str, str], body: str, options: str
) -> Rewritten | None:
    """`routine` is the function's schema and name, `options` what stands between its language and its body."""
    found = _SHAPE.match(_without_comments(body))
    if found is None:
        return None
    values, row = found["values"], _ROW[event]
    other = "old" if row == "new" else "new"
    if not _balanced(values):
        return None  # several rows
    if event == "UPDATE" and re.search(rf"\b{other}\b", values, re.IGNORECASE):
        return None  # which old row belongs to which new one only a key can say
    if re.search(rf"\b{other}\b", values, re.IGNORECASE) or "'" in re.sub(r"'[^']*'", "", values):
        return None
    said = "".join(
        part if part.startswith("'") else re.sub(rf"\b{row}\b", "r", part, flags=re.IGNORECASE)
        for part in re.split(r"('[^']*')", values)
    )
    name = f"{trigger}_per_statement"
    made = f"{routine[1]}_per_statement"
    insert = f"insert into {found['target']} {found['columns'] or ''} select {said} from {row}_rows as r;"
    text = f"begin\n  {insert}\n  return null;\nend"
    function = f"create function {ident(routine[0], made)}() returns trigger language plpgsql{options} as {dollar(text)}"
    referencing = f"referencing {row} table as {row}_rows"
    create = (
        f"create trigger {ident(name)} after {event} on {ident(schema, table)} {referencing} for each statement"
        f" execute function {ident(routine[0], made)}()"
    )
    drop = f"drop trigger {ident(trigger)} on {ident(schema, table)}"
    return Rewritten(name, function, create, f"{function};\n{drop};\n{create};")


def _balanced(text: str) -> bool:
    depth = 0
    for character in re.sub(r"'[^']*'", "", text):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _without_comments(body: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", body, flags=re.DOTALL)
