"""A small reading of SQL text: which settings and claims it asks for, which functions it calls, what its columns are compared with.

Works on tokens, knows no grammar, and serves expressions as PostgreSQL prints them as well as the bodies of functions. What it says
are guesses of the good kind: a later calibration asks the database whether they hold. Never reads a database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.shadow.tenants.tokens import (
    ENDS,
    Token,
    after_casts,
    calls,
    closing,
    column,
    operand_end,
    operand_start,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A setting that is read, and where inside it: the keys that lead there when it is JSON, none when it is taken whole."""

    setting: str
    path: tuple[str, ...] = ()


def asks(found: Sequence[Token], documents: dict[tuple[str, str], str]) -> set[Ask]:
    """What is read of the session's settings. `documents` are functions that return a setting as JSON: (schema, name) → setting."""
    chains = _chains(found)
    direct = {i: found[i + 2].text for i in range(len(found) - 2) if _reads_setting(found, i)}
    sources = set(direct.values()) | {
        documents[key] for s, n, _ in calls(found) if (key := _document(documents, s, n)) is not None
    }
    made: set[Ask] = set()
    covered: set[int] = set()
    for start, path, *_ in chains:
        setting = ""
        begin = operand_start(found, start - 1)
        for i in range(begin, start):
            if i in direct:
                setting = direct[i]
                covered.add(i)
            elif found[i].kind == "name" and i + 1 < start and found[i + 1].text == "(":
                schema = found[i - 2].text if i > 1 and found[i - 1].text == "." else ""
                key = _document(documents, schema, found[i].text)
                setting = setting or (documents[key] if key else "")
        if not setting and len(sources) == 1 and begin == start - 1 and found[begin].text in _given(found):
            setting = next(iter(sources))  # a variable that was given the document
        if setting:
            made.add(Ask(setting, path))
    for i, setting in direct.items():
        if i not in covered and not any(a.setting == setting and a.path for a in made):
            made.add(Ask(setting))
    return made


@dataclass(frozen=True, slots=True)
class Read:
    """Something read inside JSON: what stands before the first arrow, the keys, the type of the first cast behind them that is not to text ("" for
    none), and whether it may as well be missing (IS NULL is asked).
    """

    base: tuple[Token, ...]
    path: tuple[str, ...]
    cast: str
    missing: bool


def insides(found: Sequence[Token]) -> Iterator[Read]:
    """Everything that is read inside JSON."""
    for start, path, cast, end in _chains(found):
        missing = [t.text for t in found[end : end + 2]] == ["is", "null"]
        yield Read(tuple(found[operand_start(found, start - 1) : start]), path, cast, missing)


def casts(found: Sequence[Token], documents: dict[tuple[str, str], str]) -> Iterator[tuple[Ask, str]]:
    """What is asked of the session and then cast, with the bare name of the type."""
    for i, token in enumerate(found):
        if token.text == "::" and i:
            names = [t.text for t in found[i + 1 : i + 4 : 2] if t.kind == "name"]
            dotted = i + 2 < len(found) and found[i + 2].text == "."
            for ask in asks(found[operand_start(found, i - 1) : i], documents):
                yield ask, names[-1] if dotted else names[0]


def _given(found: Sequence[Token]) -> set[str]:
    """Names that are given a value: variables assigned, targets of INTO, columns called by AS."""
    made = set()
    for i, token in enumerate(found):
        if token.kind == "name" and not token.quoted:
            after = [t.text for t in found[i + 1 : i + 5]]
            assigned = (
                ":=" in after[:1]
                or (":=" in after and ";" not in after[: after.index(":=")])
                or "default" in after
            )
            if assigned or (i and found[i - 1].text in ("into", "as")):
                made.add(token.text)
    return made


def _document(documents: dict[tuple[str, str], str], schema: str, name: str) -> tuple[str, str] | None:
    if schema:
        return (schema, name) if (schema, name) in documents else None
    return next((key for key in documents if key[1] == name), None)


def _reads_setting(found: Sequence[Token], i: int) -> bool:
    return found[i].text == "current_setting" and found[i + 1].text == "(" and found[i + 2].kind == "string"


_ARROWS = ("->", "->>", "#>", "#>>")


def _chains(found: Sequence[Token]) -> list[tuple[int, tuple[str, ...], str, int]]:
    """(position of the first arrow, keys, type to which it is cast, position behind it) for each chain of JSON arrows."""
    chains: list[tuple[int, tuple[str, ...], str, int]] = []
    used: set[int] = set()
    for i, token in enumerate(found):
        if token.text not in _ARROWS or i in used:
            continue
        start, path, cast = i, [], ""
        while i < len(found) - 1 and found[i].text in _ARROWS and found[i + 1].kind == "string":
            used.add(i)
            key, cast = found[i + 1].text, ""
            path += key.strip("{}").split(",") if found[i].text.startswith("#") else [key]
            i += 2
            while i < len(found) and (found[i].text == ")" or found[i].text == "::"):
                after = after_casts(found, i)
                cast = cast or next(
                    (t.text for t in reversed(found[i:after]) if t.kind == "name" and t.text != "text"), ""
                )
                i = after if after > i else i + 1
        if path:
            chains.append((start, tuple(p.strip().strip('"') for p in path), cast, i))
    return chains


@dataclass(frozen=True, slots=True)
class Comparison:
    """`column` (as written: qualifier or "", name) equals, or is among, what the tokens `other` say."""

    column: tuple[str, str]
    other: tuple[Token, ...]


def equalities(found: Sequence[Token]) -> Iterator[tuple[tuple[Token, ...], tuple[Token, ...]]]:
    """Both sides of every equality and membership test, in both directions; CASE … WHEN is one, too."""
    for i, token in enumerate(found):
        if token.kind == "name" and token.text == "case" and not token.quoted:
            yield from _cases(found, i + 1)
            continue
        if token.kind == "operator" and token.text in ("=", "@>", "<@", "&&"):
            start, end = i + 1, operand_end(found, i + 1)
        elif token.kind == "name" and token.text == "in" and not token.quoted and i + 1 < len(found):
            start, end = i + 1, closing(found, i + 1)
        elif token.kind == "name" and token.text == "from" and found[max(i - 1, 0)].text == "distinct":
            start, end = i + 1, operand_end(found, i + 1)
            i -= 3 if i > 2 and found[i - 2].text == "not" else 2  # IS [NOT] DISTINCT FROM
        else:
            continue
        before = i - 2 if i > 1 and found[i - 1].text == "not" else i - 1
        if before < 0:
            continue
        left = tuple(found[operand_start(found, before) : before + 1])
        right = tuple(found[start : end + 1])
        yield left, right
        yield right, left


def _cases(found: Sequence[Token], start: int) -> Iterator[tuple[tuple[Token, ...], tuple[Token, ...]]]:
    """(operand, constant) for each branch of a CASE that compares its operand with constants."""
    depth, operand = 0, None
    for i in range(start, len(found)):
        token = found[i]
        if token.kind == "other":
            depth += (token.text in "([") - (token.text in ")]")
        elif (token.kind == "name" and token.text == "end") or depth < 0:
            return
        elif not depth and token.kind == "name" and token.text == "when":
            operand = tuple(found[start:i]) if operand is None else operand
            if operand and found[i + 1 : i + 2] and found[i + 1].kind == "string":
                yield operand, (found[i + 1],)


def comparisons(found: Sequence[Token]) -> Iterator[Comparison]:
    """Every equality and membership test that has a bare column on one side, read from that side."""
    for one, other in equalities(found):
        name = column(one)
        if name is not None:
            yield Comparison(name, other)


def sources(found: Sequence[Token]) -> dict[str, tuple[str, str]]:
    """alias → (schema or "", table) of everything that stands after FROM, JOIN, UPDATE, INTO or a comma among those."""
    made: dict[str, tuple[str, str]] = {}
    for i, token in enumerate(found):
        if token.kind != "name" or token.quoted or token.text not in ("from", "join", "update", "into"):
            continue
        j = i + 1
        while j < len(found):
            while j < len(found) and (found[j].text in ("only", "lateral") or found[j].text == "("):
                j += 1
            if j >= len(found) or found[j].kind != "name":
                break
            names = [found[j].text]
            j += 1
            while j + 1 < len(found) and found[j].text == "." and found[j + 1].kind == "name":
                names.append(found[j + 1].text)
                j += 2
            if j < len(found) and found[j].text == "(":
                break  # a function
            table = (names[-2] if len(names) > 1 else "", names[-1])
            if j < len(found) and found[j].text == "as":
                j += 1
            if (
                j < len(found)
                and found[j].kind == "name"
                and (found[j].quoted or found[j].text not in _NO_ALIAS)
            ):
                made[found[j].text] = table
                j += 1
            else:
                made.setdefault(names[-1], table)
            if j < len(found) and found[j].text == "," and token.text == "from":
                j += 1
                continue
            break
    return made


_NO_ALIAS = ENDS | {"inner", "left", "right", "full", "cross", "natural", "set", "values", "select", "for", "returning", "default",
                     "strict", "on", "with", "offset", "window", "tablesample"}  # fmt: skip
