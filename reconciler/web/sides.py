"""Two versions of an object, line beside line.

Pure: values in, rows out. What is shown is what was read; nothing is shortened, so that nothing hides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from reconciler.model import Json

Mark = Literal["same", "changed", "removed", "added"]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table. A side without a line is empty."""

    left: str
    right: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that differs, with its lines."""

    name: str
    lines: tuple[Line, ...]


def text(value: Json) -> str:
    """A value as a person reads it: text as it is, the rest as JSON."""
    if value is None:
        return ""
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    )


def beside(left: str, right: str) -> Iterator[Line]:
    """The lines of two texts, aligned."""
    old, new = left.splitlines(), right.splitlines()
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line(line, line, "same") for line in old[i:j])
            continue
        for step in range(max(j - i, m - k)):
            has_old, has_new = i + step < j, k + step < m
            yield Line(
                old[i + step] if has_old else "",
                new[k + step] if has_new else "",
                "changed" if has_old and has_new else "removed" if has_old else "added",
            )


def attributes(before: Mapping[str, Json] | None, after: Mapping[str, Json] | None) -> tuple[Attribute, ...]:
    """Every attribute that differs, by name; of an object that exists on one side only, those with a value."""
    old, new = before or {}, after or {}
    return tuple(
        Attribute(name, tuple(beside(text(old.get(name)), text(new.get(name)))))
        for name in sorted({*old, *new})
        if text(old.get(name)) != text(new.get(name))
    )
