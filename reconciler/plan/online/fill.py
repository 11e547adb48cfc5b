"""A declared value for the rows that exist already (`fill`), on a busy table: in batches behind the main transaction.

What goes after it waits for it, with all that follows: a dropped column may be what the value is made of.
"""

from __future__ import annotations

from reconciler.catalog.kinds import writing as w
from reconciler.model import Statement
from reconciler.pg import ident
from reconciler.plan.online import backfill, not_null
from reconciler.plan.online.course import Course, Placed, Stage
from reconciler.plan.online.writing import apart


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind != "column" or id not in course.after.facts or not course.busy(course.table(id)):
        return None
    column = ident(id.part)
    head, tail = f"update {w.name(id)} set {column} = ", f" where {column} is null"
    if not (statement.sql.startswith(head) and statement.sql.endswith(tail)) or not backfill.possible(
        id, course
    ):
        return None
    expression = statement.sql[len(head) : -len(tail)]
    put, taken = backfill.kept(id, expression, course, inserts=True)
    stage = backfill.filled(id, expression, statement.reason)
    course.late.add(id)
    course.filled = True
    if course.follows(statement, lambda other: not_null.sets(other, course)):
        course.closing[id] = taken
        closing: tuple[Stage, ...] = ()
    else:
        closing = (Stage(apart(taken[0])), Stage(taken[1]))
    return Placed(main=put, late=(stage, *closing))
