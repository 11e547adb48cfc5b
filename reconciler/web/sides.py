"""Two versions of an object, line beside line.

Pure: values in, rows out. What is shown is what was read; nothing is shortened, so that nothing hides. Whatever the texts are, aligning
them takes time in proportion to their length: they come out of a database, and pages must not stop for them.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from reconciler.model import Json

_ENOUGH = 1_000_000
"""Comparisons for one stretch: some tenths of a second."""

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
    for tag, i, j, k, m in _stretches(old, new):
        if tag == "equal":
            yield from (Line(line, line, "same") for line in old[i:j])
            continue
        for step in range(max(j - i, m - k)):
            has_old, has_new = i + step < j, k + step < m
            before, after = old[i + step] if has_old else "", new[k + step] if has_new else ""
            mark: Mark = "changed" if has_old and has_new else "removed" if has_old else "added"
            yield Line(before, after, "same" if mark == "changed" and before == after else mark)


def _stretches(old: list[str], new: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """What is equal and what is not, in order. Between lines that stand on either side once (patience diff) the standard library aligns;
    it takes cubic time where the same line stands often, so that what is too much for it is shown as changed from end to end."""
    at_old = at_new = 0
    for i, k in (*_anchors(old, new), (len(old), len(new))):
        head = _alike(old[at_old:i], new[at_new:k])
        yield "equal", at_old, at_old + head, at_new, at_new + head
        at_old, at_new = at_old + head, at_new + head
        a, b = old[at_old:i], new[at_new:k]
        if _effort(a, b) <= _ENOUGH:
            for tag, *place in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
                yield tag, at_old + place[0], at_old + place[1], at_new + place[2], at_new + place[3]
        else:
            yield "replace", at_old, i, at_new, k
        if i < len(old):
            yield "equal", i, i + 1, k, k + 1
        at_old, at_new = i + 1, k + 1


def _alike(old: list[str], new: list[str]) -> int:
    """How many lines are the same from the beginning on."""
    return next(
        (n for n, (left, right) in enumerate(zip(old, new, strict=False)) if left != right),
        min(len(old), len(new)),
    )


def _effort(old: list[str], new: list[str]) -> int:
    """At most so many comparisons."""
    there = Counter(new)
    return sum(count * there[line] for line, count in Counter(old).items()) * min(len(old), len(new))


def _anchors(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """The longest sequence of lines that stand once on either side, in the order of both."""
    once = {line for line, count in Counter(old).items() if count == 1}
    once &= {line for line, count in Counter(new).items() if count == 1}
    place = {line: k for k, line in enumerate(new) if line in once}
    ends: list[int] = []  # the least end of a rising sequence of each length, and who stands before it
    chains: list[tuple[int, int, int]] = []
    lasts: list[int] = []
    for i, line in enumerate(old):
        if line not in once:
            continue
        k = place[line]
        length = bisect_left(ends, k)
        chains.append((i, k, lasts[length - 1] if length else -1))
        ends[length : length + 1] = [k]
        lasts[length : length + 1] = [len(chains) - 1]
    found = []
    at = lasts[-1] if lasts else -1
    while at >= 0:
        i, k, at = chains[at]
        found.append((i, k))
    return found[::-1]


def attributes(before: Mapping[str, Json] | None, after: Mapping[str, Json] | None) -> tuple[Attribute, ...]:
    """Every attribute that differs, by name; of an object that exists on one side only, those with a value."""
    old, new = before or {}, after or {}
    return tuple(
        Attribute(name, tuple(beside(text(old.get(name)), text(new.get(name)))))
        for name in sorted({*old, *new})
        if text(old.get(name)) != text(new.get(name))
    )
