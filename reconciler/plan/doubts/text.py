"""Pieces of what `pg_get_constraintdef` and `pg_get_indexdef` print. Knows quotes and parentheses, and no more SQL than that."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
_QUALIFIED = re.compile(rf"\s*(?P<first>{_NAME})(?:\.(?P<second>{_NAME}))?")
_COLLATE = re.compile(rf"\s+COLLATE\s+{_NAME}(?:\.{_NAME})?")


def _ends(text: str) -> Iterator[tuple[int, int]]:
    """(position, depth) of every character that stands outside of quotes, with the depth of parentheses behind it."""
    depth, at = 0, 0
    while at < len(text):
        char = text[at]
        if char in "'\"":
            escapes = char == "'" and at > 0 and text[at - 1] in "eE"
            at += 1
            while at < len(text):
                if escapes and text[at] == "\\":
                    at += 2
                    continue
                if text[at] == char:
                    if text[at + 1 : at + 2] != char:
                        break
                    at += 1
                at += 1
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        yield at, depth
        at += 1


def parenthesised(text: str) -> tuple[str, str]:
    """What stands in the parentheses that `text` begins with, and what follows them."""
    text = text.lstrip()
    if not text.startswith("("):
        raise ValueError(f"no parenthesis: {text}")
    for at, depth in _ends(text):
        if depth == 0:
            return text[1:at], text[at + 1 :]
    raise ValueError(f"not closed: {text}")


def listed(text: str) -> list[str]:
    """The items of a list, cut at the commas that stand outside of parentheses and quotes."""
    found, begin = [], 0
    for at, depth in _ends(text):
        if depth == 0 and text[at] == ",":
            found.append(text[begin:at].strip())
            begin = at + 1
    return [*found, text[begin:].strip()]


def qualified(text: str) -> tuple[tuple[str, str], str]:
    """The schema (or nothing) and the name that `text` begins with, and what follows."""
    found = _QUALIFIED.match(text)
    if found is None:
        raise ValueError(f"no name: {text}")
    rest = text[found.end() :]
    if found["second"] is None:
        return ("", unquoted(found["first"])), rest
    return (unquoted(found["first"]), unquoted(found["second"])), rest


def unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def element(text: str) -> str:
    """The expression of one element of an index or a partition key, with its collation and without operator class and order."""
    text = text.strip()
    if text.startswith("("):
        inner, rest = parenthesised(text)
        taken = f"({inner})"
    else:
        _, rest = qualified(text)
        taken = text[: len(text) - len(rest)].strip()
        if rest.startswith("("):
            inner, rest = parenthesised(rest)
            taken += f"({inner})"
    collate = _COLLATE.match(rest)
    return taken + (collate[0] if collate else "")


def mentions(text: str, column: str) -> bool:
    """Whether a column may be spoken of: rather once too often."""
    return re.search(rf"(?<![\w$]){re.escape(column)}(?![\w$])", text) is not None
