"""A new column of a busy table whose default gives each row a value of its own: added empty, filled in batches.

The direct form writes the whole table anew under an exclusive lock. A default that is the same for all rows needs nothing of
this: PostgreSQL remembers it (manual: ALTER TABLE, Notes). Stored generated columns, identities and domains with constraints
have no such form.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.catalog.kinds import column, not_null
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import ident
from reconciler.plan.online import backfill
from reconciler.plan.online.course import Course, Placed, Stage
from reconciler.plan.online.not_null import proven
from reconciler.plan.online.writing import apart, unblocking

_ADDS = re.compile(r"\badd column if not exists\b", re.IGNORECASE)
_VOLATILE = re.compile(
    r"\b(nextval|random|random_normal|gen_random_uuid|gen_random_bytes|uuid_generate_v\w+|uuidv4|uuidv7|clock_timestamp|timeofday"
    r"|pg_current_xact_id|txid_current|gen_salt)\("
)
_STABLE = re.compile(r"^ (?:\S+ )*(STABLE|IMMUTABLE)\b", re.MULTILINE)
_FIRES = re.compile(r"\bUPDATE\b(?! OF )")


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind != "column" or _ADDS.search(statement.sql) is None or id in course.before.facts:
        return None
    fact = course.after.facts.get(id)
    default = course.after.facts.get(ObjectId("default", id.schema, id.name, id.part))
    if fact is None or default is None or not course.busy(course.table(id)) or not _varies(default, course):
        return None
    if fact["inherited"] or id in course.context.fills or not backfill.possible(id, course):
        return None
    if course.moving(course.table(id)) or _of_domain(id, course) or _fires(id, course):
        return None
    value = default["expression"]
    bare = Fact(id, {**fact.attributes, "not_null": None}, "", fact.parent)
    table, name = w.name(id), ident(id.part)
    add = f"alter table {table} add column if not exists {column.definition(bare, None, course.context)}"
    must = bool(fact["not_null"]) and not not_null.said_later(fact)
    put, taken = backfill.kept(id, value, course, inserts=False, only_old=not must)
    main = (
        replace(
            statement,
            sql=add,
            reason=f"{statement.reason}, empty at first",
            hazards=unblocking(statement.hazards),
        ),
        Statement(
            f"alter table {table} alter column {name} set default {value}",
            f"{id}: rows from now on",
            subject=id,
        ),
        *put,
    )
    stages: tuple[Stage, ...] = (
        backfill.filled(id, value, f"{id}: the rows that exist already, in batches"),
    )
    course.late.add(id)
    if must:
        course.closing[id] = taken
        sql = (
            not_null.added(fact) if isinstance(fact["not_null"], dict) else not_null.put(fact, course.context)
        )
        proof, final = proven(
            Statement(sql, f"{id}: must have a value", subject=id), id, course.table(id), course
        )
        stages += (*proof, *(Stage(apart(s) if n == 0 else s) for n, s in enumerate(final)))
    else:
        stages += (Stage(apart(taken[0])), Stage(taken[1]))
    return Placed(main=main, late=stages)


def _varies(default: Fact, course: Course) -> bool:
    """Whether each row gets a value of its own."""
    if _VOLATILE.search(default["expression"]):
        return True
    for need in course.after.edges.get(default.id, frozenset()):
        routine = course.after.facts.get(need) if need.kind == "function" else None
        if routine is not None and not _STABLE.search(str(routine["definition"]).split("\nAS ")[0]):
            return True
    return False


def _of_domain(id: ObjectId, course: Course) -> bool:
    return any(need.kind == "domain" for need in course.after.edges.get(id, frozenset()))


def _fires(id: ObjectId, course: Course) -> bool:
    """Whether an UPDATE of this column fires somebody's trigger or rule, which adding a column does not."""
    parts = [
        part for side in (course.before, course.after) for part in side.children.get(course.table(id), ())
    ]
    return any(
        (part.id.kind == "trigger" and part["enabled"] != "D" and _FIRES.search(str(part["definition"])))
        or (part.id.kind == "rule" and " ON UPDATE " in str(part["definition"]))
        for part in parts
    )
