"""CHECK and FOREIGN KEY on busy tables: NOT VALID in a moment, then VALIDATE while others write.

A new one comes before everything else, so that a row that breaks it is found before anything has changed. One that replaces
another takes its place in the main transaction and is validated behind it.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.catalog.kinds import constraint
from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId, Statement
from reconciler.plan.online.course import Course, Placed, Stage
from reconciler.plan.online.writing import PATIENT, constraint_is, unblocking, validated

_ADDS = re.compile(r"\badd constraint\b", re.IGNORECASE)
_VALIDATES = re.compile(r"\bvalidate constraint\b", re.IGNORECASE)


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind not in ("constraint", "column") or statement.sql.startswith("comment on "):
        return None
    if id in course.handled and (_ADDS.search(statement.sql) or _VALIDATES.search(statement.sql)):
        return Placed()
    table = course.table(id)
    if _VALIDATES.search(statement.sql) and course.busy(table):
        course.late.add(id)
        return Placed(late=(Stage(replace(statement, lock_timeout=PATIENT), alone=True),))
    if id.kind == "constraint" and id in course.after.facts and _ADDS.search(statement.sql):
        return _added(statement, id, table, course)
    return None


def _added(statement: Statement, id: ObjectId, table: ObjectId, course: Course) -> Placed | None:
    fact = course.after.facts[id]
    text = fact["definition"]
    if fact["type"] not in "cf" or fact["inherited"] or fact["foreign"] or not course.busy(table):
        return None
    if text.endswith(" NOT VALID") or " NOT ENFORCED" in text:
        return None
    if course.moving(table):
        return None  # PostgreSQL attaches no partition whose checks are not valid, and leaves those that go what they have
    if fact["type"] == "f" and course.partitioned(table) and course.major < 18:
        return None  # PostgreSQL has no such key there that is not valid
    sql = w.guarded(
        f"not {constraint_is(table, id.part)}",
        f"alter table {w.name(id)} add {constraint.definition(fact)} not valid",
    )
    add = Statement(sql, f"{statement.reason}, for rows that are written from now on", subject=id)
    check = validated(table, id.part, id, *unblocking(statement.hazards))
    course.handled.add(id)
    # A child may have one of that name, which goes first.
    taken = any(
        id._replace(schema=one.schema, name=one.name) in course.before.facts for one in course.family(table)
    )
    needs = course.after.edges.get(id, frozenset())
    targets = {ObjectId("table", n.schema, n.name) for n in needs if n.part}
    moving = any(course.moving(target) or (target != table and course.rekeyed(target)) for target in targets)
    if not taken and not moving and not course.preceded(statement) and course.ready(id):
        return Placed(before=(Stage(add), check))
    late = not course.late.isdisjoint(needs)
    course.late.add(id)
    return Placed(late=(Stage(add), check)) if late else Placed(main=(add,), late=(check,))
