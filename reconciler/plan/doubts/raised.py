"""Which questions a plan raises: one pass over its changes, each thing that validates data once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.catalog.kinds.casting import lossy
from reconciler.model import Change, Fact, ObjectId, Snapshot, Statement
from reconciler.plan.doubts import bounds, keys, values
from reconciler.plan.doubts.doubt import Doubt, Gap
from reconciler.plan.doubts.rows import Rows
from reconciler.plan.doubts.text import mentions
from reconciler.plan.doubts.writes import Writes, writes


@dataclass(frozen=True, slots=True)
class Doubted:
    """A plan as far as it matters here: its changes between two states, what it renames (before → after), its statements,
    and what was declared for rows without a value and for removed values of enums."""

    before: Snapshot
    after: Snapshot
    changes: tuple[Change, ...]
    statements: tuple[Statement, ...] = ()
    moved: Mapping[ObjectId, ObjectId] = field(default_factory=dict)
    fills: Mapping[ObjectId, str] = field(default_factory=dict)


def raised(plan: Doubted) -> Iterator[Doubt | Gap]:
    """Every question, in the order of the changes."""
    moved, declared = plan.moved, plan.fills
    written = writes(plan.statements)
    then = {new: old for old, new in moved.items()}
    rows = Rows(plan.before, plan.after, then, {**declared, **written.fills})
    ids = dict.fromkeys(change.id for change in plan.changes if change.verb != "drop")
    seen: set[tuple[ObjectId, str, str]] = set()
    for id in [*ids, *_made_anew(ids, rows)]:
        fact = plan.after.facts.get(id)
        for found in _asked(fact, rows, declared, moved, ids) if fact is not None else ():
            if isinstance(found, Doubt):
                known = (found.table, found.condition, found.source)
                if known in seen:
                    continue
                seen.add(known)
                if _comes_back(found, written, plan.before):
                    continue
                found = replace(
                    found, sure=not written.touch(found.table, _now(found.table, moved), *found.others)
                )
            yield found


def _comes_back(found: Doubt, written: Writes, before: Snapshot) -> bool:
    """Whether the answer lies in what the plan brings back from the quarantine: it asks that itself, and says what is missing."""
    if found.declaration:
        return found.table in written.back
    return any(other in written.back and other not in before.facts for other in found.others)


def _now(table: ObjectId, moved: Mapping[ObjectId, ObjectId]) -> ObjectId:
    return moved.get(table, table)


def _asked(
    fact: Fact,
    rows: Rows,
    declared: Mapping[ObjectId, str],
    moved: Mapping[ObjectId, ObjectId],
    ids: Collection[ObjectId],
) -> Iterator[Doubt | Gap]:
    kind, old = fact.id.kind, rows.was(fact.id)
    found: list[Doubt | Gap | None] = []
    if kind == "column":
        yield from _of_column(fact, old, rows, ids)
    elif (
        kind == "constraint"
        and keys.readable(fact, rows)
        and _enforced(fact)
        and not _covered(fact, rows, ids)
    ):
        found.append(_of_constraint(fact, rows))
    elif kind == "index" and _on_view_to_fill(fact, rows):
        found.append(Gap(fact.id, f"{fact['table']} is filled when the plan runs"))
    elif kind == "index" and keys.readable(fact, rows) and not _covered(fact, rows, ids):
        found.append(keys.unique_index(fact, rows))
    elif (
        kind == "domain_constraint"
        and not fact["definition"].endswith(" NOT VALID")
        and fact.parent is not None
    ):
        for column in _columns_of(fact.parent, rows):
            yield from values.ruled_by_domain(column, [(fact.id, fact["definition"])], rows)
    elif kind == "domain" and old is not None:
        yield from _of_domain(fact, old, rows)
    elif kind == "enum" and old is not None:
        yield from _of_enum(fact, old, rows, declared, moved)
    elif kind == "partition":
        yield from bounds.attached(fact, rows)
    elif (
        kind == "table"
        and old is not None
        and fact["partition_by"]
        and old["partition_by"] != fact["partition_by"]
    ):
        found.append(bounds.distributed(fact, rows))
    yield from (one for one in found if one is not None)


def _on_view_to_fill(fact: Fact, rows: Rows) -> bool:
    """A unique index on a materialized view that is new, or that changes."""
    view = rows.after.facts.get(fact.parent) if fact.parent else None
    unique = fact["definition"].startswith("CREATE UNIQUE ")
    return (
        unique and view is not None and view.id.kind == "materialized_view" and not keys.readable(fact, rows)
    )


def _of_constraint(fact: Fact, rows: Rows) -> Doubt | Gap | None:
    old = rows.was(fact.id)
    if old is not None and old["definition"] == fact["definition"] and not _stands_on_other(fact, rows):
        return None
    if fact["type"] in ("p", "u"):
        return keys.key(fact, rows)
    if fact["type"] == "f":
        return keys.foreign_key(fact, rows)
    return keys.exclusion(fact, rows) if fact["type"] == "x" else values.check(fact, rows)


def _enforced(fact: Fact) -> bool:
    return not fact["foreign"] and not any(
        words in fact["definition"] for words in (" NOT VALID", " NOT ENFORCED")
    )


def _of_column(fact: Fact, old: Fact | None, rows: Rows, ids: Collection[ObjectId]) -> Iterator[Doubt | Gap]:
    above = _above(fact, rows)
    if any(ObjectId("column", table.schema, table.name, fact.id.part) in ids for table in above):
        return  # asked of the parent, whose rows these are too
    valid = fact["not_null"] is True or (
        isinstance(fact["not_null"], dict) and "NOT VALID" not in fact["not_null"]["def"]
    )
    had = old is not None and (
        old["not_null"] is True
        or (isinstance(old["not_null"], dict) and "NOT VALID" not in old["not_null"]["def"])
    )
    if valid and (not had or _recomputed(old, fact)):
        found = values.missing(fact, rows)
        if found is not None:
            yield found
    changed = old is None or old["type"] != fact["type"]
    if old is not None and changed and not fact["generated"] and not old["generated"]:
        yield from values.retyped(old, fact, rows)
    if changed:
        domains = rows.under(fact)[1]
        yield from values.ruled_by_domain(fact, [rule for d in domains for rule in _rules(d, rows)], rows)


def _recomputed(old: Fact | None, new: Fact) -> bool:
    return old is not None and bool(new["generated"]) and old["expression"] != new["expression"]


def _rules(domain: Fact, rows: Rows) -> list[tuple[ObjectId, str]]:
    """What a domain asks of each value."""
    found = [(domain.id, "NOT NULL")] if domain["not_null"] else []
    for part in rows.after.children.get(domain.id, ()):
        if part.id.kind == "domain_constraint" and not part["definition"].endswith(" NOT VALID"):
            found.append((part.id, part["definition"]))
    return found


def _columns_of(domain: ObjectId, rows: Rows) -> Iterator[Fact]:
    """The columns of a domain, also through others, that have rows now."""
    for user in sorted(rows.after.dependents.get(domain, ())):
        fact = rows.after.facts[user]
        if user.kind == "domain":
            yield from _columns_of(user, rows)
        elif user.kind == "column" and rows.was(user) is not None and not fact["type"].endswith("[]"):
            yield fact


def _of_domain(fact: Fact, old: Fact, rows: Rows) -> Iterator[Doubt | Gap]:
    if fact["not_null"] and not old["not_null"]:
        for column in _columns_of(fact.id, rows):
            yield from values.ruled_by_domain(column, [(fact.id, "NOT NULL")], rows)
    if fact["type"] != old["type"]:
        for column in _columns_of(fact.id, rows):
            was = rows.was(column.id)
            if was is not None:
                own = Fact(was.id, {**was.attributes, "type": old["type"]}, "", was.parent)
                yield from values.retyped(own, column, rows)


def _of_enum(
    fact: Fact, old: Fact, rows: Rows, declared: Mapping[ObjectId, str], moved: Mapping[ObjectId, ObjectId]
) -> Iterator[Doubt]:
    mapped = {part.part for part in declared if part.kind == "enum_value" and part[1:3] == fact.id[1:3]}
    mapped |= {part.part for part in moved if part.kind == "enum_value" and part[1:3] == old.id[1:3]}
    gone = [value for value in old["values"] if value not in fact["values"] and value not in mapped]
    for user in sorted(rows.before.dependents.get(old.id, ())) if gone else ():
        now = moved.get(user, user)
        column = rows.after.facts.get(now) if user.kind == "column" else None
        was = rows.before.facts[user]
        if (
            column is not None
            and was.parent is not None
            and was.parent.kind == "table"
            and not was["inherited"]
        ):
            found = values.removed_values(column, fact.id, gone, rows)
            if found is not None:
                yield found


def _above(fact: Fact, rows: Rows) -> list[ObjectId]:
    """The tables whose rows the rows of this part's table are too, now and afterwards."""
    here = rows.was(fact.parent) if fact.parent else None
    if here is None:
        return []
    found = []
    for kind in ("partition", "table"):
        now = ObjectId(kind, fact.id.schema, fact.id.name)
        before = rows.before.edges.get(rows.then.get(now, now), frozenset())
        found += [
            need for need in rows.after.edges.get(now, ())
            if need.kind == "table" and need.name != fact.id.name and rows.then.get(need, need) in before
        ]  # fmt: skip
    return found


def _covered(fact: Fact, rows: Rows, ids: Collection[ObjectId]) -> bool:
    """Whether it comes from a parent that is asked itself, and whose rows are these too."""
    if fact.id.kind == "index":
        return bool(fact["part_of"]) and any(t in _changed_tables(ids) for t in _above(fact, rows))
    return bool(fact["inherited"]) and any(t in _changed_tables(ids) for t in _above(fact, rows))


def _changed_tables(ids: Iterable[ObjectId]) -> set[ObjectId]:
    return {ObjectId("table", id.schema, id.name) for id in ids if id.kind in ("constraint", "index")} | {
        ObjectId("table", id.schema, id.name) for id in ids if id.kind == "column"
    }


def _made_anew(ids: Collection[ObjectId], rows: Rows) -> Iterator[ObjectId]:
    """Keys and checks that stay as they are over columns whose values become others."""
    for id in ids:
        old, new = rows.was(id), rows.after.facts.get(id)
        if id.kind != "column" or old is None or new is None or new.parent is None:
            continue
        if not lossy(old["type"], new["type"]) and old["collation"] == new["collation"]:
            continue
        for part in rows.after.children.get(new.parent, ()):
            if (
                part.id.kind in ("constraint", "index")
                and part.id not in ids
                and mentions(part["definition"], id.part)
            ):
                yield part.id


def _stands_on_other(fact: Fact, rows: Rows) -> bool:
    """Whether the type of one of its columns changes."""
    for column in rows.columns(fact.parent, rows.after) if fact.parent else ():
        old = rows.was(column.id)
        if old is not None and old["type"] != column["type"] and mentions(fact["definition"], column.id.part):
            return True
    return False
