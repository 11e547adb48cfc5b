"""PRIMARY KEY and UNIQUE of busy partitioned tables: an index for each partition first, then keys that hold together.

As the manual advises (Table Partitioning, Partition Maintenance): the key of the partitioned table is added ONLY to it, each partition
gets its own with the index that is there, and the indexes are attached. Where partitions come or go in the same plan, or it
is not clear which key of a partition belongs to which of the table, and for most primary keys since 18, the direct form stays.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import constraint
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, ObjectId, Statement
from reconciler.pg import ident, literal
from reconciler.plan.online.course import Course, Placed, Remain, Stage
from reconciler.plan.online.key import KEY, adds, index_of
from reconciler.plan.online.writing import cleared, constraint_is, outside, unblocking


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind != "constraint" or not adds(statement) or id not in course.after.facts:
        return None
    fact, table = course.after.facts[id], course.table(id)
    found = KEY.match(fact["definition"])
    if fact["type"] not in "pu" or fact["inherited"] or found is None or not course.partitioned(table):
        return None
    if id in course.handled:
        return Placed()
    if not course.busy(table) or course.moving(table) or course.preceded(statement):
        return None
    below = _below(fact, table, course)
    if below is None or not all(_ready(one, course) for one in (fact, *below.values())):
        return None
    if fact["type"] == "p" and any(_given(own, course) for own in below.values()):
        return None
    if any((one.id.schema, one.id.part) in course.taken for one in (fact, *below.values())):
        return None
    course.handled.add(id)
    before: list[Stage] = []
    main = [_said(fact, found, "only ", f"{statement.reason}, of the partitioned table alone")]
    for member, own in below.items():
        above = _above(member, table, course)
        name = below.get(above, fact).id
        if course.before.facts[member]["partition_by"]:
            main.append(_said(own, found, "only ", f"{own.id}: of this level alone"))
        else:
            course.remains.append(Remain("index", member, own.id.part))
            index = ident(own.id.schema, own.id.part)
            before += [
                cleared(index, w.name(member), own.id),
                outside(
                    index_of(own, found, own.id.part), f"{own.id}: its index, built while others write", own.id,
                    *unblocking(statement.hazards),
                ),
            ]  # fmt: skip
            main.append(_said(own, found, "", f"{own.id}: with the index that is there", using=True))
        main.append(_attached(name, own.id))
    return Placed(before=tuple(before), main=tuple(main))


def _below(fact: Fact, table: ObjectId, course: Course) -> dict[ObjectId, Fact] | None:
    """The key that each partition gets, parents first; None where that is not clear."""
    found = {}
    for member in course.family(table)[1:]:
        alike = [
            part
            for part in course.after.children.get(member, ())
            if part.id.kind == "constraint" and part["inherited"] and part["type"] == fact["type"]
            and part["definition"] == fact["definition"] and part.id not in course.before.facts
        ]  # fmt: skip
        if len(alike) != 1:
            return None
        found[member] = alike[0]
    return found


def _given(own: Fact, course: Course) -> bool:
    """Whether a column of the key is NOT NULL only because its parent's is: since 18 a key of its own would make that its own."""
    columns = (course.after.facts.get(n) for n in course.after.edges.get(own.id, ()) if n.kind == "column")
    return any(column is not None and column["not_null_given"] for column in columns)


def _above(member: ObjectId, top: ObjectId, course: Course) -> ObjectId:
    needs = course.before.edges.get(ObjectId("partition", member.schema, member.name), frozenset())
    return next((need for need in sorted(needs) if need.kind == "table" and need != member), top)


def _ready(fact: Fact, course: Course) -> bool:
    """Whether the columns are there at the beginning as they are at the end."""
    needs = course.after.edges.get(fact.id, frozenset())
    return all(course.steady(need) for need in needs if need.kind != "constraint")


def _said(fact: Fact, found: re.Match[str], only: str, reason: str, *, using: bool = False) -> Statement:
    text = constraint.definition(fact)
    if using:
        timing = (found["timing"] or "").lower()
        text = f"constraint {ident(fact.id.part)} {found['kind'].lower()} using index {ident(fact.id.part)}{timing}"
    table = ObjectId("table", fact.id.schema, fact.id.name)
    sql = w.guarded(
        f"not {constraint_is(table, fact.id.part)}", f"alter table {only}{w.name(fact.id)} add {text}"
    )
    return Statement(sql, reason, subject=fact.id)


def _attached(above: ObjectId, own: ObjectId) -> Statement:
    one, other = ident(above.schema, above.part), ident(own.schema, own.part)
    sql = w.guarded(
        f"not exists (select from pg_catalog.pg_inherits where inhrelid = pg_catalog.to_regclass({literal(other)}))",
        f"alter index {one} attach partition {other}",
    )
    return Statement(sql, f"{own}: part of {above}", subject=own)
