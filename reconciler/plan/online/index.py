"""Indexes of busy tables: built and dropped CONCURRENTLY, a replacement beside the one it replaces.

The new one is built under another name before everything else; in the main transaction the old one goes and the new one takes
its name. Indexes of partitioned tables are made ON ONLY them by the kind; each partition's is built here and attached there.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.catalog.kinds import writing as w
from reconciler.model import ObjectId, Statement
from reconciler.pg import ident, literal
from reconciler.plan.online.course import Course, Placed, Remain, Stage
from reconciler.plan.online.writing import cleared, outside, unblocking

_CREATE = re.compile(
    r'create (?P<unique>unique )?index if not exists (?P<name>(?:"(?:[^"]|"")+"|[^\s"]+)) on (?P<rest>.*)\Z',
    re.IGNORECASE | re.DOTALL,
)

_DROP = re.compile(r"drop index if exists \S", re.IGNORECASE)


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind != "index":
        return None
    made = _CREATE.match(statement.sql)
    if made is not None and id in course.after.facts:
        return _built(statement, made, course)
    if _DROP.match(statement.sql):
        return _dropped(statement, course)
    return None


def of_partitions(statement: Statement) -> bool:
    """Whether this makes the index of a partitioned table alone, for which nothing is read."""
    made = _CREATE.match(statement.sql)
    return made is not None and made["rest"].lower().startswith("only ")


def _built(statement: Statement, made: re.Match[str], course: Course) -> Placed | None:
    id = statement.subject
    assert id is not None
    fact = course.after.facts[id]
    table = course.table(id)
    if not course.busy(table) or course.partitioned(table) or made["rest"].lower().startswith("only "):
        return None
    replaced = (id.schema, id.name) in course.taken or course.preceded(statement)
    early = course.ready(id)
    if replaced and not early:
        return None  # in between there would be none
    name = course.temporary(id.name, fact["definition"]) if replaced else id.name
    build = f"create {made['unique'] or ''}index concurrently if not exists {ident(name)} on {made['rest']}"
    reason = (
        f"{statement.reason}, while others write" if not replaced else f"{id}: the new one beside the old one"
    )
    stages = (
        cleared(ident(id.schema, name), w.name(table), id),
        outside(build.replace("create UNIQUE", "create unique"), reason, id, *unblocking(statement.hazards)),
    )
    if not early:
        course.late.add(id)
        return Placed(late=stages)
    if not replaced:
        return Placed(before=stages)
    course.remains.append(Remain("index", table, name))
    return _swapped(id, name, stages, course)


def _swapped(id: ObjectId, name: str, stages: tuple[Stage, ...], course: Course) -> Placed:
    """The new index takes the name; where the old one had it until now, that is dropped when nobody waits for it any more."""
    there, own = literal(ident(id.schema, name)), ident(id.schema, name)
    reason = f"{id}: the new one takes the name of the old one"
    if id not in course.aside:
        swap = w.either(
            f"pg_catalog.to_regclass({literal(w.name(id))}) is not null",
            f"drop index if exists {own}",
            f"alter index if exists {own} rename to {ident(id.name)}",
        )
        return Placed(before=stages, main=(Statement(swap, reason, subject=id),))
    old = course.temporary(id.name, "old", course.before.facts[id]["definition"])
    course.remains.append(Remain("index", course.table(id), old))
    swap = w.guarded(
        f"pg_catalog.to_regclass({there}) is not null",
        f"drop index if exists {ident(id.schema, old)}",
        f"alter index if exists {w.name(id)} rename to {ident(old)}",
        f"alter index {own} rename to {ident(id.name)}",
    )
    gone = outside(f"drop index concurrently if exists {ident(id.schema, old)}", f"{id}: the old one", id)
    return Placed(before=stages, main=(Statement(swap, reason, subject=id),), late=(gone,))


def _dropped(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    assert id is not None
    fact = course.before.facts.get(id)
    table = course.table(id)
    if fact is None or not course.busy(table) or course.partitioned(table) or fact["part_of"]:
        return None
    if str(fact["definition"]).startswith("CREATE UNIQUE ") and course.repointed(table):
        return None  # a foreign key that comes must not stand on it
    needs = course.before.edges.get(id, frozenset()) - {table}
    if id in course.after.facts:
        made = course.follows(statement, lambda other: _CREATE.match(other.sql) is not None)
        if (
            made
            and course.ready(id)
            and not course.after.facts[id]["part_of"]
            and all(_stays_or_goes(n, course) for n in needs)
        ):
            course.aside.add(id)
            return Placed()
        return None
    sql = re.sub(r"drop index", "drop index concurrently", statement.sql, count=1, flags=re.IGNORECASE)
    alone = replace(statement, sql=sql, transactional=False, hazards=unblocking(statement.hazards))
    gone = (Stage(alone, alone=True),)
    if all(course.before.digests.get(n) == course.after.digests.get(n) for n in needs):
        return Placed(late=gone)
    # It goes before what it stands on does, or before values that it would not allow.
    return None if course.before.dependents.get(id) else Placed(before=gone)


def _stays_or_goes(need: ObjectId, course: Course) -> bool:
    """Whether this lets an index on it be, as long as it lives: a column that goes takes it along."""
    return course.steady(need) or (need.kind == "column" and need not in course.after.facts)
