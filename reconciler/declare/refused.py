"""Statements that no declaration may hold, and why: one table of leading words.

A declaration is run in a scratch database, perhaps on a server that others use too. So everything that reaches
beyond that database, changes who is running it, or controls the transaction is refused before PostgreSQL sees it.
"""

from __future__ import annotations

from itertools import pairwise

from reconciler.declare.lexer import Raw

_CLUSTER = "it changes the whole server, not this database"
_WHO = "a declaration may not change the role that it is run by"
_TRANSACTION = "the loader decides about the transaction"
_FILES = "it reads or writes files of the server"
_ALONE = "it cannot run inside a transaction, and declares nothing"

_LEADING: tuple[tuple[tuple[str, ...], str], ...] = (
    (("alter", "system"), _CLUSTER),
    *(((verb, "database"), _CLUSTER) for verb in ("create", "alter", "drop")),
    *(((verb, "tablespace"), _CLUSTER) for verb in ("create", "alter", "drop")),
    (("load",), _FILES),
    (("set", "session", "authorization"), _WHO),
    (("set", "local", "session", "authorization"), _WHO),
    (("reset", "session", "authorization"), _WHO),
    (("discard",), _WHO),
    (("rollback",), _TRANSACTION),
    (("abort",), _TRANSACTION),
    (("savepoint",), _TRANSACTION),
    (("release",), _TRANSACTION),
    (("prepare", "transaction"), _TRANSACTION),
    (("commit", "prepared"), _TRANSACTION),
    (("set", "transaction"), _TRANSACTION),
    (("set", "session", "characteristics"), _TRANSACTION),
    (("vacuum",), _ALONE),
    (("checkpoint",), _ALONE),
)

_ACTING = (("set", "role"), ("set", "session", "role"), ("set", "local", "role"), ("reset", "role"))
_SERVER_WIDE = ("database", "tablespace", "parameter")
_ROWS = ("insert", "update", "delete", "merge", "copy", "truncate")


def why_refused(statement: Raw) -> str:
    """The reason this statement is refused everywhere; empty when it is not."""
    words = statement.words(4)
    for leading, reason in _LEADING:
        if words[: len(leading)] == leading:
            return f"{' '.join(leading).upper()} is refused: {reason}"
    if words[0] == "copy":
        return _why_copy(statement)
    if words[0] in ("grant", "revoke", "comment", "security"):
        return _why_on(statement)
    if words[:2] == ("create", "subscription") and not _says(statement, "connect", "false"):
        return "CREATE SUBSCRIPTION is refused unless it says `with (connect = false)`: it would connect to another server"
    if words[0] == "set" and _says(statement, "standard_conforming_strings", "off"):
        return "standard_conforming_strings = off is refused: it changes where a string ends"
    return _why_config(statement)


def why_no_declaration(statement: Raw) -> str:
    """The reason this statement stands in no declaration, though a script may hold it; empty when it may."""
    for leading in _ACTING:
        if statement.words(len(leading)) == leading:
            return f"{' '.join(leading).upper()} is refused: {_WHO}; `owner:` and `alter … owner to` say whose it is"
    first, second = (*statement.words(2), "")[:2]
    if (
        first in ("create", "alter", "drop")
        and second in ("role", "user", "group")
        and "mapping" not in statement.words(3)
    ):
        return (
            f"{first.upper()} {second.upper()} is refused: roles belong to the server, not to this database"
        )
    rows = first in _ROWS or (first == "with" and any(token.word in _ROWS[:4] for token in statement.tokens))
    return f"{first.upper()} changes rows, and a declaration describes structure only" if rows else ""


def is_transaction_control(statement: Raw) -> bool:
    """`begin`, `start transaction`, `commit` and `end` around a file are left out: the loader has its own."""
    words = statement.words(2)
    return words[0] in ("begin", "commit", "end") or words == ("start", "transaction")


def _why_on(statement: Raw) -> str:
    for before, token in pairwise(statement.tokens):
        if before.word == "on":
            refused = token.word in _SERVER_WIDE or (
                token.word == "role" and statement.tokens[0].word != "grant"
            )
            verb = statement.tokens[0].word.upper()
            return f"{verb} … ON {token.word.upper()} is refused: {_CLUSTER}" if refused else ""
    return ""


def _why_copy(statement: Raw) -> str:
    depth, words = 0, []
    for token in statement.tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            words.append(token)
    for before, token in pairwise(words):
        if before.word in ("from", "to"):
            if token.word == "program":
                return "COPY … PROGRAM is refused: it runs a command on the server"
            if before.word == "to":
                return "COPY … TO is refused: it declares nothing"
            if token.kind in ("string", "dollar"):
                return (
                    f"COPY with a file name is refused: {_FILES}; `from stdin` and the data below it are fine"
                )
    return ""


def _why_config(statement: Raw) -> str:
    """`select set_config('role', …)` is `set role` by another name."""
    for name, value in zip(statement.tokens, statement.tokens[2:], strict=False):
        if name.identifier == "set_config" and value.text.strip("'").lower() in (
            "role",
            "session_authorization",
        ):
            return f"set_config({value.text}) is refused: {_WHO}"
    return ""


def _says(statement: Raw, name: str, value: str) -> bool:
    """`name = value`, `name to value` or `name value` somewhere in the statement, quotes aside."""
    words = [token.text.strip("'\"").lower() for token in statement.tokens if token.text not in ("=",)]
    words = [word for word in words if word != "to"]
    return any(pair == (name, value) for pair in pairwise(words))
