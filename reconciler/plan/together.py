"""Tables that must agree at every moment: a partition with its parent and its neighbours, a foreign key with where it points.

Knows what PostgreSQL checks between two tables besides dependencies. Gives edges for `precedence`; never chooses an order.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from reconciler.catalog.kinds import Context, owned_by
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.domain_constraint import inside
from reconciler.catalog.kinds.retyping import TYPES, follows, within
from reconciler.model import ObjectId
from reconciler.plan.operation import ALL_VERBS, Edge, Operation, needs


def alike(attached: Operation, context: Context) -> Iterator[Edge]:
    """A partition and its parent have the same columns before one is attached to the other, which has the parent's checks then."""
    own = ObjectId("table", attached.id.schema, attached.id.name)
    for table in {own, *needs(context.after, attached.id)}:
        for part in context.before.children.get(table, ()):
            if part.id.kind == "column":
                yield attached, Operation("drop", part.id)
        for part in context.after.children.get(table, ()):
            if part.id.kind == "column" or (
                table == own and part.id.kind == "constraint" and part["type"] == "c"
            ):
                yield attached, Operation("create", part.id)
                yield attached, Operation("alter", part.id)
                # A type that is made anew is made so under the columns.
                for type_ in context.after.edges.get(part.id, ()) if part.id.kind == "column" else ():
                    if type_.kind in TYPES:
                        yield attached, Operation("alter", type_)


def followed(detached: Operation, context: Context, everything: Container[Operation]) -> Iterator[Edge]:
    """As long as a partition is attached it follows what becomes of its parent's columns and constraints, unless the parent is
    made anew, and of the types of these columns."""
    none: frozenset[ObjectId] = frozenset()
    for own in context.before.children.get(ObjectId("table", detached.id.schema, detached.id.name), ()):
        for type_ in context.before.edges.get(own.id, none) if own.id.kind == "column" else none:
            stays = own.id in context.after.facts
            if stays and type_.kind in TYPES and follows(own, type_, context):
                yield detached, Operation("alter", type_)
    for table in _returns(detached.id, context, everything):
        for part in (*context.before.children.get(table, ()), *context.after.children.get(table, ())):
            if part.id.kind in ("column", "constraint"):
                yield from ((detached, Operation(verb, part.id)) for verb in ALL_VERBS)


def _returns(partition: ObjectId, context: Context, everything: Container[Operation]) -> set[ObjectId]:
    """The parent that a partition has before and after, unless that is made anew."""
    none: frozenset[ObjectId] = frozenset()
    both = context.before.edges.get(partition, none) & context.after.edges.get(partition, none)
    return {table for table in both if Operation("drop", table) not in everything}


def bounds(context: Context, everything: Iterable[Operation]) -> Iterator[Edge]:
    """A partition leaves before another one takes its values."""
    leaving: dict[str, list[Operation]] = {}
    for operation in everything:
        if (
            operation.verb == "drop"
            and operation.id in context.before.facts
            and operation.id.kind == "partition"
        ):
            leaving.setdefault(context.before.facts[operation.id]["of"], []).append(operation)
    for operation in everything if leaving else ():
        if operation.verb == "create" and operation.id.kind == "partition":
            for gone in leaving.get(context.after.facts[operation.id]["of"], ()):
                yield operation, gone


def logged(context: Context, everything: Iterable[Operation]) -> Iterator[Edge]:
    """A logged table never points to an unlogged one, not even between two statements (manual: ALTER TABLE, SET LOGGED)."""
    before, after = context.before, context.after
    moved = {
        o.id: bool(after.facts[o.id]["persistence"])
        for o in everything
        if o.verb == "alter"
        and o.id.kind == "table"
        and before.facts[o.id]["persistence"] != after.facts[o.id]["persistence"]
    }
    if not moved:
        return
    for side, verb in ((before, "drop"), (after, "create")):
        for key in side.by_kind.get("constraint", ()):
            if key["type"] != "f" or key.parent is None:
                continue
            targets = {
                ObjectId("table", n.schema, n.name) for n in side.edges.get(key.id, ()) if n.kind == "column"
            }
            for table in ({key.parent} | targets) & moved.keys():
                if verb == "drop":
                    yield Operation("alter", table), Operation("drop", key.id)
                else:
                    yield Operation("create", key.id), Operation("alter", table)
            for target in targets - {key.parent}:
                if target in moved and moved[target] is moved.get(key.parent):
                    first, then = (key.parent, target) if moved[target] else (target, key.parent)
                    yield Operation("alter", then), Operation("alter", first)


def inheritance(operation: Operation, context: Context) -> Iterator[Edge]:
    """A child is made when its parents are as they will be. A column or check that it has of its own too is there before its
    parent's, which else would bring it along as an inherited one."""
    after, id = context.after, operation.id
    if id.kind == "table" and after.facts[id]["inherits"]:
        for parent in after.edges.get(id, frozenset()):
            if parent.kind != "table":
                continue
            for side in (context.before, after):
                for column in side.children.get(parent, ()):
                    for part in (column, *side.children.get(column.id, ())):
                        if part.id.kind in ("column", "default"):
                            for verb in ALL_VERBS:
                                yield operation, Operation(verb, part.id)
    elif id.kind == "column" or (id.kind == "constraint" and after.facts[id]["type"] == "c"):
        table = ObjectId("table", id.schema, id.name)
        stays = table not in context.before.facts or w.keeps_parents(id, context)
        if (
            after.facts[id]["inherited"] and stays
        ):  # it comes by that of its parent, or finds it there a second time
            for parent in w.parents(id, after):
                yield operation, Operation("create", ObjectId(id.kind, parent.schema, parent.name, id.part))
        for child in after.dependents.get(table, ()):
            own = after.facts.get(ObjectId(id.kind, child.schema, child.name, id.part))
            there = child.kind == "table" and child in context.before.facts
            if there and own is not None and not own["inherited"]:
                yield operation, Operation("create", own.id)


def whole_index(made: Operation, context: Context) -> Iterator[Edge]:
    """An index on a partitioned table is valid when all partitions have their part of it: those that leave are gone by then.
    One that shall lack parts comes when all are there, since PostgreSQL makes them for each that is attached later."""
    fact = context.after.facts[made.id]
    table = fact.parent
    for user in context.after.dependents.get(table, ()) if table is not None and fact["incomplete"] else ():
        if user.kind == "partition":
            yield made, Operation("create", user)
    for user in context.before.dependents.get(table, ()) if table is not None else ():
        if user.kind == "partition":
            yield made, Operation("drop", user)
            yield made, Operation("drop", ObjectId("table", user.schema, user.name))


def with_parents(altered: Operation, context: Context) -> Iterator[Edge]:
    """An inherited column changes with its parent's, so what waits for the one waits for the other."""
    id = altered.id
    for table in w.parents(id, context.before):
        yield altered, Operation("alter", ObjectId("column", table.schema, table.name, id.part))


def taken_by_owner(dropped: Operation, context: Context) -> Iterator[Edge]:
    """A column takes its sequence along, so nobody else counts by it any more when the column goes."""
    sequence = ObjectId("sequence", dropped.id.schema, dropped.id.name)
    owners = needs(context.before, dropped.id) - {sequence}
    for user in context.before.dependents.get(sequence, frozenset()) - {dropped.id}:
        for owner in owners:
            yield Operation("drop", owner), Operation("drop", user)
            yield Operation("drop", owner), Operation("alter", user)


def with_children(dropped: Operation, context: Context, everything: Container[Operation]) -> Iterator[Edge]:
    """A column takes those along that partitions and children have from it: what stands on these has to be gone by then too.
    What a child has of its own besides, column or check, can only be dropped after its parent's, and what it has from a parent
    that it leaves, when it has left."""
    id, before = dropped.id, context.before
    if (
        id not in before.facts and context.after.facts[id]["inherited"]
    ):  # out of the way, should this run again
        for table in w.parents(id, context.after):
            yield dropped, Operation("drop", ObjectId(id.kind, table.schema, table.name, id.part))
    if id.kind == "column" and id in before.facts and before.facts[id]["inherited"]:
        place = ObjectId("partition", id.schema, id.name)
        if not _returns(place, context, everything):  # else it goes with its parent's (`followed`)
            yield dropped, Operation("drop", place)
    for child in before.dependents.get(ObjectId("table", id.schema, id.name), ()):
        own = before.facts.get(ObjectId(id.kind, child.schema, child.name, id.part))
        if own is None or child.kind not in ("partition", "table", "foreign_table"):
            continue
        below = Operation("drop", own.id)
        if own["inherited"]:
            if id.kind == "column":
                yield dropped, below
                if own.id in context.after.facts:  # it stays with a partition that leaves
                    yield dropped, Operation("drop", ObjectId("partition", child.schema, child.name))
        elif own.parent in context.after.facts:
            yield below, dropped


def checked(operation: Operation, context: Context) -> Iterator[Edge]:
    """A domain gets a condition when the values that shall not meet it are gone, and before those that are inside others,
    which PostgreSQL does not look at, come."""
    domain = ObjectId("domain", operation.id.schema, operation.id.name)
    if any(domain not in side.facts for side in (context.before, context.after)):
        return
    old, new = (side.facts.get(operation.id) for side in (context.before, context.after))
    key = "not_null" if operation.id == domain else "definition"
    if old is not None and new is not None and (old[key] == new[key] or not new[key]):
        return
    stays = set(inside(context.after, domain))
    for user, deep in inside(context.before, domain):
        if (user, deep) not in stays:
            yield operation, Operation("drop", user)
            if user in context.after.facts:
                yield operation, Operation("alter", user)
    for user, deep in stays - set(inside(context.before, domain)):
        if deep:
            yield Operation("create", user), operation
            yield Operation("alter", user), operation
    had, has = within(context.before, domain), within(context.after, domain)
    yield from ((operation, Operation("alter", type_)) for type_ in had - has)
    yield from ((Operation("alter", type_), operation) for type_ in has - had)


def same_owner(operation: Operation, context: Context) -> Iterator[Edge]:
    """A sequence comes to a table that has its owner already, and leaves one before that gets another."""
    was, becomes = (
        owned_by.table(side.facts[operation.id]) if operation.id in side.facts else None
        for side in (context.before, context.after)
    )
    if operation.verb != "create" and was is not None and was != becomes:
        yield Operation("alter", was), operation
    if operation.verb != "drop" and becomes is not None and was != becomes:
        yield operation, Operation("alter", becomes)
