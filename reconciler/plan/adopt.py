"""Which of migra's statements may stand.

A statement is adopted when its shape is known, when it does to its object what the kinds would do too (so nothing is
destroyed or rewritten that they change in place), when no declared `fill` concerns it, and when it runs. Everything
else is left to the kinds, which finish what the adopted ones leave open. Promises a reason for each refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.compare import compare
from reconciler.catalog.kinds import Context
from reconciler.model import Hazard, ObjectId, Statement
from reconciler.plan.fate import decide
from reconciler.plan.operation import Operation
from reconciler.plan.precedence import operations
from reconciler.plan.shapes import About, recognised

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The statements that stand, and why the others do not (statement, reason)."""

    statements: tuple[Statement, ...]
    refused: tuple[tuple[str, str], ...]


def adopt(
    connection: Connection, proposed: Iterable[str], context: Context, own: Iterable[Statement]
) -> Adopted:
    """Tries migra's statements, in its order, on a scratch copy of the state before; the copy ends in their result.

    `own` is what the kinds would write: its hazards are carried over to the adopted statement about the same object.
    """
    fates = decide(context, compare(context.before, context.after))
    if fates.carried:
        # migra drops such a table and its partitions; nothing it says may run before the rows are out of the way.
        names = ", ".join(str(id) for id in sorted(fates.carried))
        return Adopted((), tuple((sql, f"the rows of {names} are carried over") for sql in proposed))
    allowed = _indexed(operations(fates))
    hazards: dict[ObjectId, tuple[Hazard, ...]] = {}
    for statement in own:
        if statement.subject is not None:
            hazards[statement.subject] = (*hazards.get(statement.subject, ()), *statement.hazards)
    kept: list[Statement] = []
    refused = []
    proposed = tuple(proposed)
    # migra makes an enum anew to add a value, and moves every column that uses it: what it says of columns then belongs to that.
    rebuilds = any("__old_version_to_be_dropped" in sql for sql in proposed)
    with connection.transaction():
        connection.execute("set local check_function_bodies = off")
        for sql in proposed:
            if sql.startswith(("set check_function_bodies", "select 1;")):
                continue
            reason = ""
            known = recognised(sql)
            if rebuilds and ("alter column" in sql):
                reason = "part of an enum made anew, which the kinds change in place"
            elif known is None:
                reason = "its shape is not known"
            else:
                subject = _subject(known[0], allowed)
                if subject is None:
                    reason = "the kinds change this object in place, or not at all"
                elif subject in context.fills:
                    reason = "the column has a declared fill"
                else:
                    reason = _tried(connection, known[1])
            if reason:
                refused.append((sql, reason))
            elif known is not None and subject is not None:
                risks = tuple(dict.fromkeys(hazards.pop(subject, ())))
                kept += [
                    Statement(
                        text,
                        _reason(known[0], subject),
                        "migra",
                        hazards=risks if n == 0 else (),
                        subject=subject,
                    )
                    for n, text in enumerate(known[1])
                ]
    return Adopted(tuple(kept), tuple(refused))


def _tried(connection: Connection, statements: tuple[str, ...]) -> str:
    try:
        with connection.transaction():
            for sql in statements:
                connection.execute(sql.encode())
    except psycopg.Error as error:
        return (error.diag.message_primary or str(error)).strip()
    return ""


_Index = dict[tuple[str, str, str], list[Operation]]


def _indexed(found: Iterable[Operation]) -> _Index:
    """Operations by (kind, schema, name), and those on constraints also by the name of the index behind them."""
    index: _Index = {}
    for operation in sorted(found):
        id = operation.id
        index.setdefault((id.kind, id.schema, id.name), []).append(operation)
        if id.kind == "constraint":
            index.setdefault(("constraint index", id.schema, id.part), []).append(operation)
    return index


_REPLACED_BY_CREATE = frozenset({"function", "procedure", "view", "default", "trigger", "owned_by"})
"""Kinds whose CREATE (or SET) changes an object that is there already."""
_LIKE = {"create": ("create", "alter"), "alter": ("alter", "create"), "drop": ("drop",)}


def _subject(about: About, index: _Index) -> ObjectId | None:
    """The object the statement is about, when the kinds would do the same to it."""
    for kind in about.kinds:
        by_index = kind == "constraint" and not about.part
        key = ("constraint index" if by_index else kind, about.schema, about.name)
        for operation in index.get(key, ()):
            whole = by_index or kind in ("function", "procedure") or operation.id.part == about.part
            like = _LIKE[about.verb] if about.verb != "create" or kind in _REPLACED_BY_CREATE else ("create",)
            if operation.verb in like and whole:
                return operation.id
    return None


def _reason(about: About, subject: ObjectId) -> str:
    words = {"create": "as declared", "alter": "as declared", "drop": "no longer declared"}[about.verb]
    return f"{subject.kind} {subject}: {words}"
