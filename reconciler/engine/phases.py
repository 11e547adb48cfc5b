"""A removed column goes in two phases: it may be NULL first, so that programs that know it and programs that do not both write, and is
dropped by the next apply.

Knows which columns of the target are on their way. Promises that the first phase destroys nothing and needs nobody's consent. What is
already so is not asked twice: a column that may be NULL is in its second phase, and the history says since when.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import md5

import psycopg

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.kinds import writing as w
from reconciler.engine.work import Work
from reconciler.migrate import latest, state_of
from reconciler.model import Applied, Attributes, Change, Fact, HazardCode, ObjectId, Snapshot
from reconciler.pg import connect
from reconciler.settings import Database

_NOT_NULL = ("not_null", "not_null_given")


@dataclass(frozen=True, slots=True)
class Phase:
    """A column that may be NULL since `since` (ISO 8601), by migration `version`, and is dropped next."""

    column: ObjectId
    version: str
    since: str


def in_phases(database: Database, allow: Collection[str] = ()) -> bool:
    """Whether removed columns go in two phases now: not when somebody says here and now that data may go."""
    said = {*allow, *database.typed}
    return database.removal == "phased" and not said & {HazardCode.DELETES_DATA, "all"}


def phased(work: Work) -> Work:
    """The same with what is wanted in this phase: columns that are going stay, and may be NULL."""
    going = _going(work)
    if not going:
        return work
    kept = {id: _nullable(work.live.facts[id]) for id in going}
    todo = list(going)
    while todo:
        id = todo.pop()
        parts = [part.id for part in work.live.children.get(id, ())]
        beside = [ObjectId("owned_by", id.schema, id.name)] if id.kind == "sequence" else []
        needs = [need for one in (id, *parts) for need in work.live.edges.get(one, ())]
        for other in (*parts, *beside, *needs):
            if other in work.live.facts and other not in work.wanted.facts and other not in kept:
                kept[other] = work.live.facts[other]
                todo.append(other)
    edges = {id: work.live.edges.get(id, frozenset()) for id in kept}
    return replace(work, wanted=catalog.merged(work.wanted, kept, edges))


def _going(work: Work) -> list[ObjectId]:
    """Columns of tables with rows that are not declared any more and must have a value."""
    renamed = {rename.old for rename in work.declarations.renames}
    found = [
        fact for fact in work.live.by_kind.get("column", ())
        if fact["not_null"] and not fact["identity"] and not fact["generated"]
        and fact.id not in work.wanted.facts and fact.id not in renamed
        and fact.parent is not None and fact.parent.kind == "table" and fact.parent in work.wanted.facts
        and fact.parent not in renamed
    ]  # fmt: skip
    if not found:
        return []
    tops = {fact.id: _top(fact.id, work.live) for fact in found}
    with connect(work.url) as live:
        filled = {top for top in sorted(set(tops.values())) if _has_rows(live, top)}
    return sorted(id for id, top in tops.items() if top in filled)


def _top(column: ObjectId, side: Snapshot) -> ObjectId:
    """The table from which this column comes down to its children and partitions."""
    table = ObjectId("table", column.schema, column.name)
    for above in w.parents(column, side):
        same = ObjectId("column", above.schema, above.name, column.part)
        if same in side.facts:
            return _top(same, side)
    return table


def _has_rows(live: psycopg.Connection[tuple[object, ...]], table: ObjectId) -> bool:
    """Whoever may not look is told the careful answer."""
    try:
        return live.execute(f"select from {w.name(table)} limit 1".encode()).fetchone() is not None
    except psycopg.errors.InsufficientPrivilege:
        return True


def _nullable(fact: Fact) -> Fact:
    """The column without its NOT NULL, with the digest the server will give it then."""
    text = _without(str(getattr(fact.attributes, "text", "")), _NOT_NULL)
    digest = md5(text.encode(), usedforsecurity=False).hexdigest()
    return Fact(fact.id, Attributes(text), digest, fact.parent, fact.position)


def _without(text: str, keys: Iterable[str]) -> str:
    """A JSON object as the server printed it, without these keys: what is left is as the server would print it."""
    decoder = json.JSONDecoder()
    for key in keys:
        found = re.search(rf'(?<=[{{ ])"{key}": ', text)
        if found is None:
            continue
        _, end = decoder.raw_decode(text, found.end())
        before, after = text[: found.start()], text[end:]
        text = (
            before + after.removeprefix(", ") if after.startswith(", ") else before.removesuffix(", ") + after
        )
    return text


def waiting(changes: Sequence[Change], live: Snapshot, history: Sequence[Applied]) -> tuple[Phase, ...]:
    """The columns whose first phase is done and that the next apply drops."""
    done = [row for row in latest(history).values() if row.direction == "up" and state_of(row) == "applied"]
    found = []
    for change in changes:
        fact = live.facts.get(change.id)
        if change.verb != "drop" or change.id.kind != "column" or fact is None or fact["not_null"]:
            continue
        said = f"alter table {change.id.schema}.{change.id.name} alter column {change.id.part} drop not null"
        rows = [row for row in done if said in row.up_sql.replace('"', "")]
        if rows:
            newest = max(rows, key=lambda row: row.version)
            found.append(Phase(change.id, newest.version, newest.finished_at))
    return tuple(found)
