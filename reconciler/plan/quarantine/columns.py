"""Columns that go keep their values, columns that come get theirs back.

Before the first statement that drops a column of a table the values of all that go are copied in one piece; before the one that adds
them the copy is looked for. The plain statements stay as they are and find done what is done. What is said of rows that nothing
fills when the migration is undone stands on the statement that drops the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from reconciler.model import Fact, Hazard, HazardCode, ObjectId, Statement
from reconciler.plan.quarantine import direct
from reconciler.plan.quarantine.loss import Loss, dropped_columns, regained_columns
from reconciler.plan.quarantine.way import Way

_DROPS = re.compile(r"\bdrop column\b", re.IGNORECASE)
_ADDS = re.compile(r"\badd column\b", re.IGNORECASE)


def kept(statements: tuple[Statement, ...], way: Way) -> tuple[Statement, ...]:
    """The statements, with the values of every column that goes kept, and of every one that comes brought back if they were."""
    found = list(statements)
    for loss in dropped_columns(way):
        found = _kept(found, loss, way)
    for loss in regained_columns(way):
        found = _brought_back(found, loss, way)
    return tuple(found)


def _kept(statements: list[Statement], loss: Loss, way: Way) -> list[Statement]:
    ids = {column.id for column in loss.columns}
    drops = [n for n, s in enumerate(statements) if s.subject in ids and _DROPS.search(s.sql)]
    at = drops[0] if drops else 0
    names = _listed(loss.columns)
    keep = Statement(
        direct.kept(loss),
        f"{loss.table}: the values of {names} are kept, {loss.key}",
        subject=loss.columns[0].id,
    )
    told = [_told(s, loss, way) if n in drops else s for n, s in enumerate(statements)]
    return [*told[:at], keep, *told[at:]]


def _told(statement: Statement, loss: Loss, way: Way) -> Statement:
    """The drop with what it means now."""
    column = next(c for c in loss.columns if c.id == statement.subject)
    where = f"they are kept in {loss.copy}, rows known {loss.key}, until reconciler purge destroys them"
    hazards = [
        Hazard(h.code, f"The values of column {column.id} are out of reach: {where}.")
        if h.code is HazardCode.DELETES_DATA
        else h
        for h in statement.hazards
    ]
    if way.forward and _nothing_fills(column, way):
        hazards.append(
            Hazard(
                HazardCode.DEPENDS_ON_DATA,
                f"DOWN fails once rows have been written to {column.id.schema}.{column.id.name} after this: {column.id.part} is NOT"
                " NULL and nothing says what they get; say it above the create table: -- reconciler: column"
                f" {column.id.part} down EXPRESSION.",
            )
        )
    return replace(statement, hazards=tuple(hazards))


def _nothing_fills(column: Fact, way: Way) -> bool:
    needs = direct.needs_a_value(column) or column.id in _full(way, [column], before=True)
    return needs and column.id not in way.undo and _default(column, way, before=True) is None


def _brought_back(statements: list[Statement], loss: Loss, way: Way) -> list[Statement]:
    ids = {column.id for column in loss.columns}
    adds = [n for n, s in enumerate(statements) if s.subject in ids and _ADDS.search(s.sql)]
    defaults = {c.id.part: d for c in loss.columns if (d := _default(c, way)) is not None}
    fills = {c.id.part: way.fills[c.id] for c in loss.columns if c.id in way.fills}
    back = Statement(
        direct.given_back(loss, defaults, fills, _full(way, loss.columns)),
        f"{loss.table}: the values of {_listed(loss.columns)}, where they were kept",
        subject=loss.columns[0].id,
    )
    if not adds:
        return [*statements, back]
    first, last = adds[0], adds[-1]
    later: list[Statement] = []
    sooner: list[Statement] = []
    waiting = set(ids)
    for statement in statements[first:last]:
        # What was made of the first of these columns waits until the last one can be made.
        needs = way.after.edges.get(statement.subject, frozenset()) if statement.subject else frozenset()
        if statement.subject in waiting or needs & waiting:
            later.append(statement)
            waiting |= {statement.subject} if statement.subject else set()
        else:
            sooner.append(statement)
    return [*statements[:first], *sooner, back, *later, *statements[last:]]


def _default(column: Fact, way: Way, *, before: bool = False) -> str | None:
    side = way.before if before else way.after
    for part in side.children.get(column.id, ()):
        if part.id.kind == "default":
            return str(part["expression"])
    return None


def _full(way: Way, columns: Iterable[Fact], *, before: bool = False) -> frozenset[ObjectId]:
    """The columns whose type is a domain that has to have a value and gives none by itself."""
    side = way.before if before else way.after
    found = set()
    for column in columns:
        for need in side.edges.get(column.id, frozenset()):
            domain = side.facts.get(need)
            if (
                need.kind == "domain"
                and domain is not None
                and domain["not_null"]
                and domain["default"] is None
            ):
                found.add(column.id)
    return frozenset(c for c in found if not str(side.facts[c]["type"]).endswith("[]"))


def _listed(columns: Iterable[Fact]) -> str:
    return ", ".join(column.id.part for column in columns)
