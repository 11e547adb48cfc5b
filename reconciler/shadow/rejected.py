"""Why PostgreSQL rejects a declaration, told so that a person can act: the exact line, its own words, what to do.

Promises that every cause is named once, and that what merely waits for a cause is only listed. Never runs anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from reconciler.declare import DeclaredStatement
from reconciler.errors import Source, Stalled
from reconciler.shadow import nature


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one statement did not run, in PostgreSQL's words, and the exact line of it."""

    statement: DeclaredStatement
    source: Source
    code: str
    message: str
    detail: str = ""
    hint: str = ""


def failed(statement: DeclaredStatement, error: psycopg.Error) -> Failure:
    """What PostgreSQL said about this statement."""
    diag = error.diag
    return Failure(
        statement,
        _place(statement, diag),
        error.sqlstate or "",
        diag.message_primary or str(error).strip() or type(error).__name__,
        diag.message_detail or "",
        diag.message_hint or "",
    )


def _place(statement: DeclaredStatement, diag: psycopg.errors.Diagnostic) -> Source:
    """The line that PostgreSQL points to: in the statement, in the body it quotes, or in a DO block by its line."""
    if diag.statement_position:
        return statement.at(int(diag.statement_position) - 1)
    if diag.internal_query and diag.internal_position:
        start = statement.sql.find(diag.internal_query)
        if start >= 0:
            return statement.at(start + int(diag.internal_position) - 1)
    block = re.search(r"inline_code_block\D*(\d+)", diag.context or "")
    if block and statement.sql[:2].lower() == "do":
        body = statement.sql.find("$")
        newline = statement.sql.find("$", body + 1) + 1
        below = statement.sql[:newline].count("\n") + int(block.group(1)) - 1
        lines = statement.sql.split("\n")
        return statement.at(sum(len(line) + 1 for line in lines[:below]))
    return statement.source


def refusal(failures: list[Failure], role: str | None, first: Mapping[str, DeclaredStatement]) -> Stalled:
    """All failures as one error: each with its line and PostgreSQL's own words.

    `first` says which statement was the first to make something of a name: the other half of what is declared twice.
    """
    blamed = _causes(failures)
    shown = [(failure, _words(failure, role)) for failure in blamed]
    (_, words), *rest = shown
    what = words + "".join(f"\n{failure.source}: {words}" for failure, words in rest)
    others = [failure.source for failure in failures if failure not in blamed]
    for failure in blamed:
        twin = first.get(nature.made(failure.statement.sql)) if failure.code in _DUPLICATES else None
        if twin is not None and twin is not failure.statement:
            others.insert(0, twin.source)
    return Stalled(what, hint=_advice(blamed, role), sources=(blamed[0].source, *others))


_DUPLICATES = frozenset({"42P07", "42710", "42723", "42P06"})
_MISSING = frozenset({"42P01", "42883", "42704", "42703", "3F000"})


def _causes(failures: list[Failure]) -> list[Failure]:
    """Those that do not merely wait for an object whose own statement fails."""
    made: dict[str, Failure] = {}
    for failure in failures:
        made.setdefault(nature.made(failure.statement.sql), failure)
    made.pop("", None)
    causes = []
    for failure in failures:
        words = re.findall(r"\w+", failure.message.lower())
        follows = any(made.get(word, failure) is not failure for word in words)
        if failure.code not in _MISSING or not follows:
            causes.append(failure)
    return causes or failures


def _words(failure: Failure, role: str | None) -> str:
    text = failure.message
    text += f"\n    {failure.detail}" if failure.detail else ""
    text += f"\n    PostgreSQL suggests: {failure.hint}" if failure.hint else ""
    return text


def _advice(failures: list[Failure], role: str | None) -> str:
    for failure in failures:
        sql, code = failure.statement.sql, failure.code
        extension = re.match(r'create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([\w-]+)', sql, re.IGNORECASE)
        if extension and code in ("0A000", "58P01", "22023"):
            return (
                f"the scratch server has no extension {extension.group(1)}: install it there, or name a server that has"
                " it with --shadow URL"
            )
        if code == "42501" and role is None and nature.needs_superuser(sql):
            return (
                f"{nature.needs_superuser(sql)} need a superuser: read the statement, then set trust: reviewed"
                " to let it run on the scratch server"
            )
        if code in _DUPLICATES:
            return "it is declared twice: keep one of them"
        if code == "57014":
            return "a declaration describes structure; move what takes this long into a migration"
        if code == "53200":
            return "raise max_locks_per_transaction on the scratch server (1024 is enough for thousands of tables)"
        if code == "42704" and re.search(r"\brole\b", failure.message):
            return (
                "roles belong to the server: create it there, or say platform: supabase for Supabase's roles"
            )
        if code == "25001":
            return "leave this statement out of the declarations: it acts on data or on the server, not on the schema"
    return ""
