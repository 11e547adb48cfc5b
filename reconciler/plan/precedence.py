"""Which operation must come before which.

Knows the dependency graphs of both sides, the parts an object is written with, and who gives up or takes a name. Promises
edges in both strengths: hard ones PostgreSQL insists on, soft ones that only hints speak for. Never chooses an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.catalog.kinds import KINDS, Context, identity, not_null
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.plan.fate import Fates
from reconciler.plan.mentions import SPEAKERS, mentions
from reconciler.plan.operation import CARRY, Edge, Operation, needs, side_of
from reconciler.plan.pointing import dropped_first, leaving, made_right
from reconciler.plan.rows_along import around_rows
from reconciler.plan.together import (
    alike,
    bounds,
    checked,
    followed,
    inheritance,
    logged,
    same_owner,
    taken_by_owner,
    whole_index,
    with_children,
    with_parents,
)

Name = tuple[str, str]
"""(schema, name), of a routine with its argument types."""

RELATIONS = frozenset(
    {
        "table",
        "view",
        "materialized_view",
        "index",
        "sequence",
        "enum",
        "domain",
        "composite",
        "range",
        "foreign_table",
    }
)
ROUTINES = frozenset({"function", "procedure", "aggregate"})
_RUN = frozenset(
    {"materialized_view", "constraint", "domain_constraint", "index", "column", "partition", "domain"}
)
"""Kinds that may execute functions while they are created."""


def operations(fates: Fates) -> list[Operation]:
    found = [Operation("drop", id) for id in fates.dropped | fates.replaced | fates.renewed]
    found += [Operation(verb, id) for id in fates.carried for verb in CARRY]
    found += [Operation("alter", id) for id in fates.altered]
    found += [Operation("create", id) for id in fates.created | fates.replaced]
    return sorted(found, key=_by_name)


def _by_name(operation: Operation) -> tuple[str, ...]:
    id = operation.id
    return (operation.verb, id.kind, id.schema, id.name, id.part)


def hard(
    context: Context, everything: set[Operation], absorbed: Mapping[Operation, Operation]
) -> Iterator[Edge]:
    """What PostgreSQL insists on. `absorbed` maps an operation to the one that takes it along."""
    before, after = context.before, context.after
    for operation in everything:
        id = operation.id
        if operation.verb in CARRY:
            yield from around_rows(operation, context, everything, absorbed)
            continue
        if id.kind == "owned_by" and absorbed[operation] == operation:
            yield from same_owner(operation, context)
        if operation.verb == "drop":
            if id.kind == "owned_by" and absorbed[operation] != operation:
                # It goes with its sequence, and needs no column for that; but with the column goes the sequence.
                yield from taken_by_owner(operation, context)
                continue
            for need in needs(side_of(operation, context), id):
                yield Operation("drop", need), operation
                if need.kind != "schema":  # which does not mind what is in it
                    yield Operation("alter", need), operation
            if id.kind == "column" or (
                id.kind == "constraint" and side_of(operation, context).facts[id]["type"] == "c"
            ):
                yield from with_children(operation, context, everything)
            if id.kind == "constraint" and id in before.facts and before.facts[id]["type"] == "f":
                yield from dropped_first(operation, context)
            if id.kind == "partition":
                yield from followed(operation, context, everything)
                for part in before.children.get(ObjectId("table", id.schema, id.name), ()):
                    new = after.facts.get(part.id)
                    if part.id.kind == "column" and new is not None and not_null.apart(part, new, context):
                        yield Operation("alter", part.id), operation
        elif operation.verb == "create":
            yield operation, Operation("drop", id)
            if id.kind == "partition":
                yield from alike(operation, context)
            if id.kind == "index":
                yield from whole_index(operation, context)
            for need in needs(after, id):
                yield operation, Operation("create", need)
                yield operation, Operation("alter", need)
        else:
            if id.kind == "operator":  # its commutator is no dependency, but has to be there
                yield from (
                    (operation, o) for o in everything if o.verb == "create" and o.id.kind == "operator"
                )
            if id.kind == "column":
                yield from with_parents(operation, context)
            had, has = needs(before, id), needs(after, id)
            for need in had - has:  # it moves off what is changed or taken away
                yield Operation("drop", need), operation
                yield Operation("alter", need), operation
            for need in needs(after, id):
                yield operation, Operation("create", need)
                if need not in had:
                    yield operation, Operation("alter", need)
        if operation.verb == "create":
            yield from inheritance(operation, context)
        if operation.verb != "drop" and id.kind in ("domain", "domain_constraint"):
            yield from checked(operation, context)
    yield from _names(context, everything)
    yield from logged(context, everything)
    yield from bounds(context, everything)
    yield from leaving(context, everything)


def soft(context: Context, everything: set[Operation]) -> Iterator[Edge]:
    """What had better come first: altered before altered, and what a body speaks of before what may run it."""
    before, after = context.before, context.after
    made = {o.id for o in everything if o.verb != "drop"}
    spoken = mentions(after, made)
    for operation in everything:
        if operation.verb in CARRY:
            continue
        id = operation.id
        if operation.verb == "drop":
            yield from (
                (Operation("alter", need), operation)
                for need in needs(side_of(operation, context), id)
                if need.kind == "schema"
            )
            table = before.facts[id].parent if id.kind == "index" and id in before.facts else None
            if (
                table is not None
            ):  # a part of another index goes by itself once its table is a partition no more
                yield operation, Operation("drop", ObjectId("partition", table.schema, table.name))
            if id in before.facts and id in after.facts:
                # A second run finds it standing on what it will stand on.
                for need in needs(after, id):
                    yield Operation("drop", need), operation
            continue
        if operation.verb == "alter":
            for need in needs(after, id):
                yield operation, Operation("alter", need)
            if id.kind == "table" and context.before.facts[id]["inherits"] != after.facts[id]["inherits"]:
                for part in after.children.get(id, ()):  # a child has its parents' columns
                    yield operation, Operation("create", part.id)
        if operation.verb == "create" and id.kind == "partition":
            whole = ObjectId("table", id.schema, id.name)
            for need in after.edges.get(id, ()):
                yield Operation("create", whole), Operation("create", need)
            for part in after.children.get(
                whole, ()
            ):  # once attached, what it inherits can no longer be renamed
                yield operation, Operation("alter", part.id)
                if (
                    part.id.kind == "index"
                ):  # one that is there is taken, else PostgreSQL makes one and names it
                    yield operation, Operation("create", part.id)
        if operation.verb == "create" and id.kind == "column":
            # A child that goes may have a column of that name and another type.
            parent = after.facts[id].parent
            for user in before.dependents.get(parent, ()) if parent else ():
                if user.kind == "table":
                    yield operation, Operation("drop", user)
        if operation.verb == "create" and id.kind == "constraint":
            # A foreign key takes whichever key it finds: the one that goes has to be gone by then.
            for need in before.edges.get(id, ()):
                yield operation, Operation("drop", need)
            if after.facts[id]["type"] == "f":
                yield from made_right(operation, context)
        if id.kind in SPEAKERS or (spoken and id.kind in _RUN):
            for need in _through(after, id, made, spoken):
                yield operation, Operation("create", need)
                yield operation, Operation("alter", need)


def _through(
    side: Snapshot, start: ObjectId, made: set[ObjectId], spoken: Mapping[ObjectId, frozenset[ObjectId]]
) -> Iterator[ObjectId]:
    """The objects of this plan that `start` reaches through objects that stay as they are."""
    seen = {start}
    todo = [start]
    while todo:
        id = todo.pop()
        for need in side.edges.get(id, frozenset()) | spoken.get(id, frozenset()):
            if need in seen:
                continue
            seen.add(need)
            if need in made:
                yield need
            else:
                todo.append(need)


def _names(context: Context, everything: Iterable[Operation]) -> Iterator[Edge]:
    """A name is given up before somebody else takes it."""
    gone: dict[Name, list[Operation]] = {}
    taken: dict[Name, list[Operation]] = {}
    for operation in everything:
        if operation.verb in CARRY:
            continue
        id = operation.id
        before = names(context.before.facts[id]) if id in context.before.facts else frozenset()
        after = names(context.after.facts[id]) if id in context.after.facts else frozenset()
        if operation.verb != "create":
            for name in before if operation.verb == "drop" else before - after:
                gone.setdefault(name, []).append(operation)
        if operation.verb != "drop":
            for name in after if operation.verb == "create" else after - before:
                taken.setdefault(name, []).append(operation)
    for name in gone.keys() & taken.keys():
        for earlier in gone[name]:
            for later in taken[name]:
                yield later, earlier


def names(fact: Fact) -> frozenset[Name]:
    """What an object is called among relations, types and routines, where no two may have one name."""
    id = fact.id
    if id.kind in RELATIONS:
        return frozenset({(id.schema, id.name)})
    if id.kind in ROUTINES:
        return frozenset({(id.schema, id.name + id.part)})
    if id.kind == "constraint" and fact["type"] in ("p", "u", "x"):
        return frozenset({(id.schema, id.part)})
    if id.kind == "column" and fact["identity"]:
        return frozenset({(id.schema, identity.counter(fact))})
    return frozenset()


def stands_inside(operation: Operation, context: Context) -> bool:
    """Whether this part may be written inside the CREATE of its whole."""
    inline = KINDS[operation.id.kind].inline
    return inline(context.after.facts[operation.id]) if callable(inline) else inline
