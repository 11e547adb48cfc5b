"""The roles that declarations name. Roles belong to the server, so whoever prepares a scratch server needs the list.

Reads the places where SQL's grammar expects a role. Names that are built at run time, in DO blocks or functions, are
not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.declare.lexer import Raw, Text, Token, statements
from reconciler.declare.values import DeclaredFile

_NOBODY = frozenset(["public", "current_user", "session_user", "current_role", "none", "group"])


def roles_named(files: Iterable[DeclaredFile]) -> frozenset[str]:
    """Every role that a grant, policy, owner, default privilege or user mapping names; `public` is none."""
    found: set[str] = set()
    for file in files:
        for statement in file.statements:
            if statement.sql[:6].lower() in ("grant ", "revoke", "create", "alter ", "set ro"):
                for raw in statements(Text(statement.sql, file.path)):
                    found.update(_roles(raw))
    return frozenset(found)


def _roles(raw: Raw) -> Iterator[str]:
    tokens = raw.tokens
    words = [token.word for token in tokens]
    first, second = words[0], words[1] if len(words) > 1 else ""
    if (first, second) == ("set", "role"):
        yield from _list(tokens, 2)
    elif first in ("grant", "revoke"):
        yield from _grant(tokens, words)
    elif (first, second) == ("alter", "default"):
        for at, word in enumerate(words):
            before = words[at - 1]
            if (word in ("role", "user") and before == "for") or (word in ("to", "from") and at > 3):
                yield from _list(tokens, at + 1)
    elif (first, second) in (("create", "policy"), ("alter", "policy")):
        for at in _outside(tokens, "to"):
            if words[at - 1] != "rename":
                yield from _list(tokens, at + 1)
    elif first == "alter" and "owner" in words:
        for at in _outside(tokens, "owner"):
            if words[at + 1 : at + 2] == ["to"]:
                yield from _list(tokens, at + 2)
    elif (first, second) == ("create", "schema") and "authorization" in words:
        yield from _list(tokens, words.index("authorization") + 1)
    elif words[1:3] == ["user", "mapping"] and "for" in words:
        yield from _list(tokens, words.index("for") + 1)


def _grant(tokens: list[Token], words: list[str]) -> Iterator[str]:
    privileges = "on" in words
    for at in _outside(tokens, "to", "from"):
        yield from _list(tokens, at + 1)
        if not privileges:
            yield from _list(tokens, 1 if words[1] != "admin" else words.index("for") + 1)
        return


def _outside(tokens: list[Token], *wanted: str) -> list[int]:
    """Where these words stand outside parentheses."""
    depth, found = 0, []
    for at, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.word in wanted:
            found.append(at)
    return found


def _list(tokens: list[Token], at: int) -> Iterator[str]:
    """The names from `at` on, as long as commas join them."""
    while at < len(tokens):
        if tokens[at].word == "group":
            at += 1
            continue
        name = tokens[at].identifier
        if name and (tokens[at].kind == "name" or name not in _NOBODY):
            yield name
        at += 1
        if at >= len(tokens) or tokens[at].text != ",":
            return
        at += 1
