"""A migration file cut into what psql sees: statements, the comments between them, and psql's own commands.

Knows where a statement ends as psql knows it (quotes, dollar quotes, parentheses, `begin atomic … end`), on
the lexer of the declarations. Promises that every item has its place. Never judges what an item means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from reconciler.declare.lexer import Text, Token, tokens
from reconciler.errors import Usage

WRITER = re.compile(r"--   by (?P<source>migra|catalog|hand)(?:, for (?P<subject>.+))?\Z")
"""The last line of the comment above a statement that we wrote: what follows, comments too, is the
statement.
"""


_PLAIN = re.compile(r"[^;'\"$\\]*;")
_HIDING = re.compile(r"--|/\*|\batomic\b|\bstdin\b", re.IGNORECASE)
"""A text up to a semicolon without any of these, and with balanced parentheses, is a whole statement."""


class Item(NamedTuple):
    """`text` of a statement has no semicolon at its end and no white space around it; `start` is its
    offset.
    """

    kind: Literal["statement", "comment", "command"]
    text: str
    start: int


def items(text: Text) -> Iterator[Item]:
    """The file from top to bottom. Raises `Usage` for quotes without an end and for COPY data."""
    at, verbatim = 0, False
    while at < len(text.text):
        item, at = _statement(text, at) if verbatim else _next(text, at)
        verbatim = item is not None and item.kind == "comment" and WRITER.match(item.text) is not None
        if item is not None:
            yield item


def ends_in_comment(sql: str) -> bool:
    """Whether a semicolon written right behind `sql` would be swallowed by a comment."""
    if "--" not in sql:
        return False
    found = list(tokens(Text(sql, "")))
    return bool(found) and found[-1].text.startswith("--")


def _next(text: Text, start: int) -> tuple[Item | None, int]:
    for token in tokens(text, start):
        end = token.start + len(token.text)
        if token.kind == "comment":
            behind = start > 0 and "\n" not in text.text[start - 1 : token.start]
            return (None if behind else Item("comment", token.text.rstrip("\r"), token.start)), end
        if token.text == "\\":
            end = _end_of_line(text.text, token.start)
            return Item("command", text.text[token.start : end].strip(), token.start), end
        if token.text == ";":
            return None, end
        return _statement(text, token.start)
    return None, len(text.text)


def _statement(text: Text, start: int) -> tuple[Item | None, int]:
    """What stands between `start` and the next semicolon that ends a statement, or the end of the file."""
    plain = _PLAIN.match(text.text, start)
    if plain and not _HIDING.search(plain.group()) and plain.group().count("(") == plain.group().count(")"):
        return _item(text, start, plain.end() - 1), plain.end()  # most statements, ten times as fast
    depth = atomic = 0
    found: list[Token] = []
    end = len(text.text)
    for token in tokens(text, start):
        if token.kind == "comment":
            continue
        if token.text == "\\":
            raise Usage(
                "a command of psql inside a statement: the statement before it has no semicolon",
                hint="end the statement with a semicolon",
                sources=(text.source(token.start),),
            )
        if token.text == ";" and depth <= 0 and not atomic:
            end = token.start
            break
        depth += (token.text == "(") - (token.text == ")")
        if token.kind == "word":
            atomic = _atomic(atomic, found, token)
        found.append(token)
    after = min(end + 1, len(text.text))
    if not found:
        return None, after
    if found[0].word == "copy" and any(token.word == "stdin" for token in found):
        raise Usage(
            "rows inside a migration (copy … from stdin) are not supported",
            hint="write them as: insert … on conflict do nothing",
            sources=(text.source(found[0].start),),
        )
    return _item(text, start, end), after


def _item(text: Text, start: int, end: int) -> Item | None:
    sql = text.text[start:end]
    return Item("statement", sql.strip(), start + len(sql) - len(sql.lstrip())) if sql.strip() else None


def _atomic(depth: int, before: list[Token], token: Token) -> int:
    """How deep in `begin atomic … end` this word leaves us; `case` opens too (manual, CREATE FUNCTION)."""
    if depth:
        opens_or_closes = token.word in ("case", "end") and before[-1].text != "."
        return depth + (1 if token.word == "case" else -1) if opens_or_closes else depth
    begins = token.word == "atomic" and bool(before) and before[-1].word == "begin"
    return 1 if begins and before[0].word == "create" else 0


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end
