"""Which tables one SQL statement names, and what it does with them: from its tokens, without a grammar of SQL.

Promises a table for every INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY, REFRESH, FROM, JOIN and USING whose table stands there by name; the names of
WITH are none. What is only known when it runs (EXECUTE) is for the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from reconciler.declare.lexer import Token


class Name(NamedTuple):
    """A name as the text has it: `schema` is empty where none stands."""

    schema: str
    name: str


class Touch(NamedTuple):
    """`verb` is select, insert, update, delete, merge, truncate, copy, refresh or lock; `columns` those that an insert names or an update
    sets, as far as they stand there; `at` the token's place in the statement."""

    verb: str
    table: Name
    columns: tuple[str, ...] = ()
    at: int = 0


# Functions whose arguments may hold a FROM that reads no table (manual: "String Functions", "Date/Time Functions").
_WITH_FROM = frozenset({"extract", "substring", "trim", "overlay"})
_AFTER_FROM = frozenset(
    (
        "where", "group", "having", "order", "limit", "union", "intersect", "except", "window", "for",
        "returning", "into", "fetch", "offset", "loop", "set", "when", "then",
    )
)  # fmt: skip
_JOINS = frozenset(
    (
        "join", "left", "right", "inner", "full", "cross", "natural", "on", "using",
    )
)  # fmt: skip
_IN_WITH = frozenset(
    (
        "select", "insert", "update", "delete", "merge", "values", "with", "table",
    )
)  # fmt: skip
_NO_TABLE = frozenset({"select", "lateral", "rows", "unnest", "values"})


def touched(tokens: Sequence[Token]) -> tuple[Touch, ...]:
    """What the statement does with tables, in the order of its text."""
    common = _common(tokens)
    found = []
    inside: list[bool] = []  # whether each open parenthesis belongs to a function of _WITH_FROM
    for at, token in enumerate(tokens):
        if token.text == "(":
            inside.append(at > 0 and tokens[at - 1].word in _WITH_FROM)
        elif token.text == ")" and inside:
            inside.pop()
        for touch in _at(tokens, at, inside[-1] if inside else False):
            if touch.table.schema or touch.table.name not in common:
                found.append(touch)
    return tuple(found)


def _at(tokens: Sequence[Token], at: int, in_function: bool) -> Iterator[Touch]:
    word, before, after = tokens[at].word, _word(tokens, at - 1), _word(tokens, at + 1)
    if not word or _text(tokens, at - 1) == ".":
        return
    if word == "insert" and after == "into":
        yield from _insert(tokens, at)
    elif word == "update" and before not in ("for", "key", "on", "or", "before", "after") and after != "set":
        name, end = _named(tokens, at + 1)
        if name:
            yield Touch("update", name, _set_columns(tokens, end), at)
    elif word == "delete" and after == "from":
        yield from _one("delete", tokens, at + 2, at)
    elif word == "merge" and after == "into":
        yield from _one("merge", tokens, at + 2, at)
    elif word == "truncate" and before not in ("or", "before", "after", ","):
        yield from _list("truncate", tokens, at + (2 if after == "table" else 1), at)
    elif word == "refresh" and after == "materialized":
        yield from _one("refresh", tokens, at + (4 if _word(tokens, at + 3) == "concurrently" else 3), at)
    elif word in ("copy", "lock") and at == 0:
        yield from _list(word, tokens, at + (2 if after == "table" else 1), at)
    elif word == "from" and not in_function and before != "delete" and not _distinct_from(tokens, at):
        if tokens[0].word not in ("fetch", "move", "copy", "revoke"):
            yield from _from(tokens, at)
    elif word == "join":
        yield from _one("select", tokens, at + 1, at)
    elif (
        word == "using"
        and any(token.word in ("delete", "merge") for token in tokens[:at])
        and _text(tokens, at + 1) != "("
    ):
        yield from _from(tokens, at)


def _insert(tokens: Sequence[Token], at: int) -> Iterator[Touch]:
    name, end = _named(tokens, at + 2)
    if name is None:
        return
    if _word(tokens, end) == "as":
        end += 2
    columns: list[str] = []
    if _text(tokens, end) == "(" and _word(tokens, end + 1) not in _IN_WITH:
        for token in tokens[end + 1 :]:
            if token.text == ")":
                break
            if token.identifier:
                columns.append(token.identifier)
    yield Touch("insert", name, tuple(columns), at)
    for place in range(end, len(tokens) - 2):
        if [token.word for token in tokens[place : place + 3]] == ["do", "update", "set"]:
            yield Touch("update", name, _set_columns(tokens, place + 2), place)


def _one(verb: str, tokens: Sequence[Token], start: int, at: int) -> Iterator[Touch]:
    name, end = _named(tokens, start)
    if name and _text(tokens, end) != "(":
        yield Touch(verb, name, (), at)


def _list(verb: str, tokens: Sequence[Token], start: int, at: int) -> Iterator[Touch]:
    while True:
        name, end = _named(tokens, start)
        if name is None:
            return
        yield Touch(verb, name, (), at)
        if _text(tokens, end) != ",":
            return
        start = end + 1


def _from(tokens: Sequence[Token], at: int) -> Iterator[Touch]:
    """The first item, and those after commas at the same depth; what is joined is found at its own JOIN."""
    start, depth = at + 1, 0
    while start < len(tokens):
        yield from _one("select", tokens, start, at)
        while start < len(tokens):
            token = tokens[start]
            if token.text in "([":
                depth += 1
            elif token.text in ")]":
                depth -= 1
            if depth < 0 or (depth == 0 and (token.word in _AFTER_FROM or token.text == ";")):
                return
            start += 1
            if depth == 0 and token.text == ",":
                break


def _named(tokens: Sequence[Token], at: int) -> tuple[Name | None, int]:
    """The possibly qualified name that begins here, and where what follows it begins."""
    while _word(tokens, at) in ("only", "lateral"):
        at += 1
    parts: list[str] = []
    while at < len(tokens) and tokens[at].identifier and (parts or tokens[at].word not in _NO_TABLE):
        parts.append(tokens[at].identifier)
        at += 1
        if _text(tokens, at) != ".":
            break
        at += 1
    if _text(tokens, at) == "*":
        at += 1
    if not parts:
        return None, at
    return Name(parts[-2] if len(parts) > 1 else "", parts[-1]), at


def _set_columns(tokens: Sequence[Token], start: int) -> tuple[str, ...]:
    """What `set` assigns: names before `=` at its own depth, and those in parentheses before one."""
    at, depth = start, 0
    while at < len(tokens) and tokens[at].word != "set":
        at += 1
    columns: list[str] = []
    begins = True
    group: list[str] = []
    for place in range(at + 1, len(tokens)):
        token = tokens[place]
        if token.text == "(":
            depth += 1
            group = [] if depth == 1 else group
        elif token.text == ")":
            depth -= 1
            if depth < 0:
                break
            if depth == 0 and begins and _text(tokens, place + 1) == "=":
                columns += group
                begins = False
        elif (
            depth == 0 and token.word in ("from", "where", "returning") and not _distinct_from(tokens, place)
        ):
            break
        elif depth == 0 and token.text == ",":
            begins = True
        elif begins and token.identifier:
            if depth == 0:
                columns.append(token.identifier)
                begins = False
            else:
                group.append(token.identifier)
    return tuple(columns)


def _distinct_from(tokens: Sequence[Token], at: int) -> bool:
    return (
        tokens[at].word == "from"
        and _word(tokens, at - 1) == "distinct"
        and _word(tokens, at - 2) in ("is", "not")
    )


def _common(tokens: Sequence[Token]) -> Collection[str]:
    """The names that WITH gives to its queries."""
    found = set()
    for at, token in enumerate(tokens):
        if token.word != "as" or at == 0:
            continue
        after = at + 1
        while _word(tokens, after) in ("not", "materialized"):
            after += 1
        if _text(tokens, after) != "(" or _word(tokens, after + 1) not in _IN_WITH:
            continue
        before = at - 1
        if tokens[before].text == ")":
            while before > 0 and tokens[before].text != "(":
                before -= 1
            before -= 1
        if before >= 0 and tokens[before].identifier:
            found.add(tokens[before].identifier)
    return found


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].word if 0 <= at < len(tokens) else ""


def _text(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""
