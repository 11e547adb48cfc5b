"""Whether the rows of the target permit a plan: the rehearsal's rows are not the real ones.

Asks the live database, reads as little as shows it, and changes nothing. Promises a refusal with the place in the
declarations and what to write there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from reconciler.engine.work import Work
from reconciler.errors import Source, Stalled
from reconciler.model import Fact, HazardCode, ObjectId, Plan
from reconciler.pg import connect, ident

Connection = psycopg.Connection[Any]


Moved = Mapping[ObjectId, ObjectId]


def rows_permit(plan: Plan, work: Work, moved: Moved) -> None:
    """Raises Stalled for a new NOT NULL column that nothing fills, and for a removed enum value that a row holds. `moved` says what
    the plan renames (before → after): the rows are still found under the names before.
    """
    then = {new: old for old, new in moved.items()}
    with connect(work.url) as live:
        for id in _unfilled(plan, work, then):
            _refuse_if_rows(live, id, work, then)
        for id in dict.fromkeys(change.id for change in plan.changes if change.verb == "alter"):
            if id.kind == "enum":
                _refuse_if_used(live, id, work, moved, then)


def _unfilled(plan: Plan, work: Work, then: Moved) -> list[ObjectId]:
    """New columns of tables that exist, which depend on what rows there are."""
    found = []
    for statement in plan.up:
        id = statement.subject
        if (
            id is None
            or id.kind != "column"
            or then.get(id, id) in work.live.facts
            or not statement.sql.startswith("alter table")
        ):
            continue
        doubtful = any(hazard.code is HazardCode.DEPENDS_ON_DATA for hazard in statement.hazards)
        table = ObjectId("table", id.schema, id.name)
        if doubtful and then.get(table, table) in work.live.facts:
            found.append(id)
    return found


def _refuse_if_rows(live: Connection, id: ObjectId, work: Work, then: Moved) -> None:
    column: Fact = work.wanted.facts[id]
    whole = ObjectId("table", id.schema, id.name)
    table = ident(*then.get(whole, whole)[1:3])
    if _first(live, f"select from {table} limit 1", table) is not None:
        raise Stalled(
            f"column {id} is declared NOT NULL ({column['type']}), but {table} has rows and nothing says what they get",
            hint="give the column a default, or a fill: expression for the rows that exist",
            sources=_place(id, work) or _place(ObjectId("table", id.schema, id.name), work),
        )


def _refuse_if_used(live: Connection, id: ObjectId, work: Work, moved: Moved, then: Moved) -> None:
    before = then.get(id, id)
    old, new = work.live.facts.get(before), work.wanted.facts.get(id)
    if old is None or new is None:
        return
    mapped = {
        part.part for part in work.declarations.fills if part.kind == "enum_value" and part[1:3] == id[1:3]
    }
    mapped |= {part.part for part in moved if part.kind == "enum_value" and part[1:3] == before[1:3]}
    gone = [value for value in old["values"] if value not in new["values"] and value not in mapped]
    for user in sorted(work.live.dependents.get(before, ())) if gone else ():
        column = work.live.facts[user]
        if (
            user.kind != "column"
            or moved.get(user, user) not in work.wanted.facts
            or column.parent is None
            or column.parent.kind != "table"
        ):
            continue
        table, name = ident(user.schema, user.name), ident(user.part)
        held = f"{name}::text[] && %s::text[]" if column["type"].endswith("[]") else f"{name}::text = any(%s)"
        row = _first(live, f"select count(*) from {table} where {held}", table, (gone,))
        if row is not None and row[0]:
            raise Stalled(
                f"{row[0]} {'row of' if row[0] == 1 else 'rows of'} {table} {'holds' if row[0] == 1 else 'hold'} a value in"
                f" {user.part} that {id} would lose: {', '.join(map(repr, gone))}",
                hint=f"say what they get: -- reconciler: value '{gone[0]}' becomes '…' (in YAML becomes: {{{gone[0]}: …}})",
                sources=_place(id, work),
            )


def _place(id: ObjectId, work: Work) -> tuple[Source, ...]:
    place = work.declarations.places.get(id)
    return (place,) if place else ()


def _first(live: Connection, sql: str, table: str, values: tuple[object, ...] = ()) -> tuple[Any, ...] | None:
    try:
        return live.execute(sql.encode(), values).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise Stalled(
            f"whether {table} has rows cannot be seen: {error.diag.message_primary}",
            hint=f"grant select on {table} to {ident(live.info.user)};   (reconciler doctor --fix prints all that is missing)",
        ) from error
