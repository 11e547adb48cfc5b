"""PRIMARY KEY and UNIQUE of busy tables: their index is built CONCURRENTLY first, and then becomes theirs.

A key that replaces another of its name is built under another name; ADD … USING INDEX gives the index the name of the
constraint (manual: ALTER TABLE). What has no such form is left alone: keys of partitioned tables, WITHOUT OVERLAPS.
"""

from __future__ import annotations

import re

from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, Statement
from reconciler.pg import ident
from reconciler.plan.online.course import Course, Placed, Remain, Stage
from reconciler.plan.online.writing import cleared, constraint_is, outside, unblocking

_LIST = r'\((?:"(?:[^"]|"")+"|[^"()])+\)'
KEY = re.compile(
    rf"(?P<kind>PRIMARY KEY|UNIQUE)(?P<nulls> NULLS NOT DISTINCT)? (?P<columns>{_LIST})(?P<include> INCLUDE {_LIST})?"
    r"(?P<timing>(?: NOT)? DEFERRABLE(?: INITIALLY (?:DEFERRED|IMMEDIATE))?)?\Z"
)
_ADDS = re.compile(r"\badd constraint\b|\Acreate unique index\b", re.IGNORECASE)


def rewrite(statement: Statement, course: Course) -> Placed | None:
    id = statement.subject
    if id is None or id.kind != "constraint" or not adds(statement) or id not in course.after.facts:
        return None
    fact = course.after.facts[id]
    table = course.table(id)
    found = KEY.match(fact["definition"])
    if (
        fact["type"] not in "pu"
        or fact["inherited"]
        or found is None
        or " WITHOUT OVERLAPS" in found["columns"]
    ):
        return None
    if not course.busy(table) or course.partitioned(table):
        return None
    if id in course.handled:
        return Placed()
    replaced = (id.schema, id.part) in course.taken or course.preceded(statement)
    early = course.ready(id)
    if replaced and not early:
        return None
    course.handled.add(id)
    name = course.temporary(id.part, fact["definition"]) if replaced else id.part
    course.remains.append(Remain("index", table, name))
    risks = unblocking(statement.hazards)
    stages = (
        cleared(ident(id.schema, name), w.name(table), id),
        outside(index_of(fact, found, name), f"{id}: its index, built while others write", id, *risks),
    )
    uses = (
        f"alter table {w.name(id)} add constraint {ident(id.part)} {found['kind'].lower()} using index"
        f" {ident(name)}{(found['timing'] or '').lower()}"
    )
    sql = w.guarded(f"not {constraint_is(table, id.part)}", uses)
    add = Statement(sql, f"{statement.reason}, with the index that is there", subject=id)
    if early:
        # The second time the constraint is there already, and its index beside it is of no use.
        spare = Statement(
            f"drop index if exists {ident(id.schema, name)}", f"{id}: it has its index", subject=id
        )
        return Placed(before=stages, main=(add, spare) if replaced else (add,))
    course.late.add(id)
    return Placed(late=(*stages, Stage(add)))


def adds(statement: Statement) -> bool:
    return not statement.sql.startswith("comment on ") and _ADDS.search(statement.sql) is not None


def index_of(fact: Fact, found: re.Match[str], name: str) -> str:
    """The index that PostgreSQL would make for the constraint."""
    sql = f"create unique index concurrently if not exists {ident(name)} on {w.name(fact.id)} {found['columns']}"
    sql += f" include{found['include'][8:]}" if found["include"] else ""
    sql += " nulls not distinct" if found["nulls"] else ""
    sql += f" with ({w.options(fact['options'])})" if fact["options"] else ""
    return sql + (f" tablespace {ident(fact['tablespace'])}" if fact["tablespace"] else "")
