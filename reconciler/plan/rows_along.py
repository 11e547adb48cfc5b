"""When the rows of a table that is made anew step aside, and when they come back.

Aside: after everything that stands on the table or its partitions is gone, before any of these, or a column of theirs, is. Back: when the
partitions are there, before anything that would act on rows that are written (triggers, rules), read them (materialized
views), or is quicker made over all of them (indexes, foreign keys). What only the old table needs goes when it is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.catalog.kinds import Context
from reconciler.catalog.kinds.partition import tree
from reconciler.model import ObjectId, Snapshot
from reconciler.plan.operation import Edge, Operation, needs

_AFTER_ROWS = frozenset({"trigger", "rule", "materialized_view", "index", "policy"})


def around_rows(
    operation: Operation,
    context: Context,
    everything: set[Operation],
    absorbed: Mapping[Operation, Operation],
) -> Iterator[Edge]:
    """The edges of one `aside` or `back` operation. `absorbed` maps an operation to the one that takes it along."""
    table = operation.id
    if operation.verb == "aside":
        tables = tree(context.before, table)
        things = _with_parts(context.before, tables)
        yield Operation("drop", table), operation
        for other in everything:
            if other.verb == "alter" and other.id not in tables and table in _left(other.id, context):
                yield operation, other
            if other.verb != "drop" or other.id not in context.before.facts:
                continue
            whole = absorbed[other]
            if whole.id in tables or any(
                id in things and _stays_with(id, context) for id in (other.id, whole.id)
            ):
                yield whole, operation
            elif needs(context.before, other.id) & things:
                yield operation, whole
        return
    tables = tree(context.after, table)
    things = _with_parts(context.after, tables)
    yield operation, Operation("create", table)
    yield operation, Operation("drop", table)
    for thing in things:
        if thing.kind in ("table", "partition", "column", "default"):
            yield operation, Operation("create", thing)
            yield operation, Operation("alter", thing)
    for other in everything:
        whole = absorbed.get(other, other)
        made = other.verb == "create" and whole.id not in tables and _waits(context.after, other.id)
        if made and needs(context.after, other.id) & things:
            yield whole, operation
    still = {need for thing in things for need in context.after.edges.get(thing, ())}
    had = _with_parts(context.before, tree(context.before, table))
    for need in {need for thing in had for need in context.before.edges.get(thing, ())} - had:
        if need.kind not in ("table", "sequence", "schema"):
            yield Operation("drop", need), operation
            if need not in still:
                yield Operation("alter", need), operation


def _stays_with(id: ObjectId, context: Context) -> bool:
    """Whether it holds rows that are copied, or cannot be dropped before its table is a partition no more."""
    return id.kind in ("partition", "column") or (
        id.kind == "index" and bool(context.before.facts[id]["part_of"])
    )


def _left(id: ObjectId, context: Context) -> frozenset[ObjectId]:
    """What an altered object no longer stands on."""
    none: frozenset[ObjectId] = frozenset()
    return context.before.edges.get(id, none) - context.after.edges.get(id, none)


def _waits(side: Snapshot, id: ObjectId) -> bool:
    return id.kind in _AFTER_ROWS or (id.kind == "constraint" and side.facts[id]["type"] == "f")


def _with_parts(side: Snapshot, tables: set[ObjectId]) -> set[ObjectId]:
    found = set(tables)
    todo = list(tables)
    while todo:
        for part in side.children.get(todo.pop(), ()):
            if part.id not in found:
                found.add(part.id)
                todo.append(part.id)
    return found
