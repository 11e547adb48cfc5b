"""One object that differs, attribute by attribute, as lines for people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from reconciler.cli.present.plan import SIGNS, words
from reconciler.model import Change, Fact, Json, Snapshot

_LONG = 60
"""Characters up to which two values stand side by side."""


def object_lines(change: Change, before: Fact | None, after: Fact | None) -> Iterator[Text]:
    """The object, and below it each attribute that differs. `before` is what is there, `after` what is wanted."""
    sign, colour = SIGNS[change.verb]
    yield Text(f"{sign} {change.says}", style=f"bold {colour}")
    if change.was is not None:
        return
    if change.verb != "alter" or before is None or after is None:
        return
    for name in change.attributes:
        yield from _attribute(name, before[name], after[name])


def changed_objects(changes: tuple[Change, ...], before: Snapshot, after: Snapshot) -> Iterator[Text]:
    """All of them. Parts of a whole that is itself missing or undeclared are said with it, not again."""
    gone = {(c.verb, c.id) for c in changes if c.verb != "alter"}
    for change in changes:
        side = after if change.verb == "create" else before
        fact = side.facts.get(change.id)
        if fact is not None and fact.parent is not None and (change.verb, fact.parent) in gone:
            continue
        yield from object_lines(change, before.facts.get(change.id), after.facts.get(change.id))


def detail(change: Change, before: Snapshot, after: Snapshot) -> dict[str, Any]:
    """The same object for scripts: the attributes that differ, on both sides."""
    old, new = before.facts.get(change.id), after.facts.get(change.id)
    names = change.attributes
    return {
        "verb": change.verb,
        "kind": change.id.kind,
        "id": str(change.id),
        "attributes": list(names),
        "was": str(change.was) if change.was else None,
        "live": {name: old[name] for name in names} if old and names else None,
        "declared": {name: new[name] for name in names} if new and names else None,
    }


def _attribute(name: str, old: Json, new: Json) -> Iterator[Text]:
    left, right = _text(old), _text(new)
    if "\n" not in left + right and len(left) + len(right) <= _LONG:
        line = Text(f"    {words(name)}: ").append(left, style="red")
        yield line.append(" → ").append(right, style="green")
        return
    yield Text(f"    {words(name)}:")
    rows = difflib.unified_diff(left.splitlines(), right.splitlines(), lineterm="", n=2)
    for row in list(rows)[2:]:
        style = {"-": "red", "+": "green", "@": "cyan"}.get(row[:1], "dim")
        yield Text(f"      {row}", style=style)


def _text(value: Json) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value:
        # an access list names its owner by the empty text
        return "\n".join(f"{key or 'owner'}: {_text(inner)}" for key, inner in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(_text(inner) for inner in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
