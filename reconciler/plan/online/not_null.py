"""SET NOT NULL on busy tables: a CHECK that is validated while others write proves that there is nothing to look for.

Since 12 PostgreSQL believes such a constraint and reads nothing under its lock (manual: ALTER TABLE, SET NOT NULL). The
statement itself stays as it was written, so that the names of 18 come out as they should; the CHECK goes with it.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.catalog.kinds import not_null
from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId, Statement
from reconciler.pg import ident, literal
from reconciler.plan.online.course import Course, Placed, Remain, Stage
from reconciler.plan.online.writing import apart, constraint_is, unblocking, validated


def sets(statement: Statement, course: Course) -> bool:
    """Whether this gives a column NOT NULL, and reads the table for it."""
    id = statement.subject
    fact = course.after.facts.get(id) if id is not None and id.kind == "column" else None
    if fact is None or not fact["not_null"] or not_null.said_later(fact):
        return False
    sql = statement.sql.lower()
    return sql.endswith(" set not null") or (
        " add constraint " in sql and " not null " in sql and "do " in sql
    )


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or not sets(statement, course):
        return None
    table = course.table(id)
    old = course.before.facts.get(id)
    if not course.busy(table) or (old is not None and old["not_null"]) or course.moving(table):
        return None
    early = course.steady(id)
    stages, final = proven(statement, id, table, course)
    if early:
        return Placed(before=stages, main=final)
    course.late.add(id)
    return Placed(late=(*stages, *(Stage(apart(s) if n == 0 else s) for n, s in enumerate(final))))


def proven(
    statement: Statement, id: ObjectId, table: ObjectId, course: Course
) -> tuple[tuple[Stage, ...], tuple[Statement, ...]]:
    """(what proves it, the statement itself with what has to go then)."""
    name = course.temporary(f"{id.name}_{id.part}_not_null")
    course.remains.append(Remain("constraint", table, name))
    column, where = ident(id.part), literal(w.name(table))
    nullable = (
        f"exists (select from pg_catalog.pg_attribute where attrelid = {where}::pg_catalog.regclass"
        f" and attname = {literal(id.part)} and not attnotnull)"
    )
    add = w.guarded(
        f"{nullable} and not {constraint_is(table, name)}",
        f"alter table {w.name(table)} add constraint {ident(name)} check ({column} is not null) not valid",
    )
    drop = f"alter table {w.name(table)} drop constraint if exists {ident(name)}"
    stages = (
        Stage(Statement(add, f"{id}: rows that are written from now on must have a value", subject=id)),
        validated(table, name, id, *unblocking(statement.hazards)),
    )
    final = (
        replace(statement, hazards=()),
        Statement(drop, f"{id}: the column says it now", subject=id),
        *course.closing.pop(id, ()),
    )
    return stages, final
