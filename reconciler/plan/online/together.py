"""What must not be drawn apart when a plan is cut into several transactions.

Knows which objects protect others (policies, triggers, rules, and what they stand on) and what has to wait for something that is
finished late. Promises to say so; changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.catalog.kinds import identity
from reconciler.model import ObjectId, Statement
from reconciler.plan.online.course import Course
from reconciler.run.steps import steps

_GUARDS = frozenset({"policy", "trigger", "rule", "view", "function", "procedure", "table", "column"})
_TAKES = re.compile(
    r"\b(drop (policy|trigger|rule|view|function|procedure)|disable|no force|revoke)\b", re.IGNORECASE
)
_GOES = re.compile(
    r"\bdrop (column|(materialized |foreign )?table|view|function|procedure|aggregate|operator|type|domain|sequence|cast|schema|extension)\b"
    r"|\balter column .* type\b|\bset data type\b|\bdrop expression\b",
    re.IGNORECASE | re.DOTALL,
)
_STANDS = frozenset({"index", "constraint", "replica_identity", "clustered", "statistics", "partition"})
_OF_TABLE = frozenset({"replica_identity", "clustered", "partition"})
_JOINS = re.compile(r"\b(no )?inherit\b|\breplica identity\b|\bcluster\b|\badd generated\b", re.IGNORECASE)


def torn(before: Sequence[Statement], after: Sequence[Statement]) -> bool:
    """Whether something that protects is taken away in one transaction and put back in another, where it was one."""
    was, now = _steps_of(before), _steps_of(after)
    return any(len(now.get(id, set())) > 1 and len(found) == 1 for id, found in was.items())


def _steps_of(statements: Sequence[Statement]) -> dict[ObjectId, set[int]]:
    """By object that is taken away at first: the numbers of the steps with statements about it."""
    found: dict[ObjectId, set[int]] = {}
    for step in steps(statements):
        for statement in step.statements:
            id = statement.subject
            if id is None or id.kind not in _GUARDS:
                continue
            if id in found or (_TAKES.search(statement.sql) and not statement.sql.startswith("comment on ")):
                found.setdefault(id, set()).add(step.number)
    return found


def takes_away(statement: Statement) -> bool:
    """Whether something goes, or becomes another, that a value may be made of."""
    return not statement.sql.startswith("comment on ") and _GOES.search(statement.sql) is not None


def waits(statement: Statement, course: Course) -> bool:
    """Whether this has to come behind what is finished late."""
    id = statement.subject
    if not course.late or id is None:
        return False
    if id in course.late:
        return True
    needs = set(course.after.edges.get(id, frozenset())) | set(course.before.edges.get(id, frozenset()))
    if id.kind in _STANDS:
        if not course.late.isdisjoint(needs):
            return True
        table = course.table(id)
        return id.kind in _OF_TABLE and any(course.table(other) == table for other in course.late)
    if id.kind == "sequence" and id not in course.after.facts:  # behind an identity
        columns = (course.after.facts.get(other) for other in course.late if other.kind == "column")
        return any(c is not None and c["identity"] and identity.counter(c) == id.name for c in columns)
    if id.kind == "table" and _JOINS.search(statement.sql):
        return any(course.table(other) == id for other in course.late)
    return any(need.kind in ("index", "constraint") for need in needs & course.late)
