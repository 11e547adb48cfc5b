"""What becomes of each object that differs, and of those that stand on it.

Knows the dependency graphs of both sides and asks the kinds what can change in place. Promises that what it decides also
holds for a second run of the same statements, when the database already looks like the goal: whatever stands on an object
that is made anew, before or after, is taken away first. Never orders anything and writes no SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.catalog.kinds import KINDS, RANK, Alteration, Carry, Context, Unplannable
from reconciler.catalog.kinds.partition import tree
from reconciler.model import Change, Fact, ObjectId, Statement


@dataclass(frozen=True, slots=True)
class Fates:
    """`replaced` objects exist on both sides and are dropped and created. `renewed` ones are new, but a second run must take
    them away before it can make what they stand on anew: for these, too, a drop is written. Of the replaced ones, those in
    `carried` hold rows, which go along. `lasting` are, for one that is replaced or renewed, the objects that come to stand on it
    and cannot be taken away: where they do, it is as it will be. `late` says again what PostgreSQL forgets on the way."""

    dropped: frozenset[ObjectId]
    created: frozenset[ObjectId]
    replaced: frozenset[ObjectId]
    renewed: frozenset[ObjectId]
    altered: Mapping[ObjectId, Alteration]
    carried: Mapping[ObjectId, Carry] = field(default_factory=dict)
    late: tuple[Statement, ...] = ()
    lasting: Mapping[ObjectId, tuple[Fact, ...]] = field(default_factory=dict)


def decide(context: Context, changes: Iterable[Change]) -> Fates:
    """Raises Unplannable when an object that holds rows stands on one that would have to be made anew."""
    before, after = context.before, context.after
    sides = (before, after)
    changes = tuple(changes)
    dropped = frozenset(change.id for change in changes if change.verb == "drop")
    created = frozenset(change.id for change in changes if change.verb == "create")
    altered: dict[ObjectId, Alteration] = {}
    # What was a part of a table and is one of a foreign table or view by the same name is not the same object.
    forced = {
        id for id, fact in before.facts.items() if id in after.facts and fact.parent != after.facts[id].parent
    }
    carried: dict[ObjectId, Carry] = {}
    # Wholes first: what is part of one that is carried over needs no way of its own.
    for change in sorted(changes, key=lambda change: RANK[change.id.kind]):
        id = change.id
        if change.verb != "alter" or id in forced:
            continue
        old, new = before.facts[id], after.facts[id]
        alteration = KINDS[id.kind].alter(old, new, context)
        if alteration is not None:
            altered[id] = alteration
            continue
        forced.add(id)
        carry = KINDS[id.kind].carry
        if carry is not None:
            carried[id] = carry(old, new, context)
            forced |= {part.id for part in before.children.get(id, ()) if part.id in after.facts}
            forced |= set(_firing(id, context))

    forced |= set(_outgrown(context, changes))

    def users(id: ObjectId) -> set[ObjectId]:
        return {user for side in sides for user in side.dependents.get(id, ())}

    def displaced() -> Iterable[tuple[ObjectId, Fact]]:
        """Who has to be out of the way while something is altered, on either side."""
        for id, alteration in altered.items():
            for start in {id, *alteration.through}:
                for user in users(start) - alteration.through - {id}:
                    for side in sides:
                        fact = side.facts.get(user)
                        if fact is not None and alteration.displaces(fact):
                            yield user, fact

    moved = {user for user, _ in displaced()}
    first = set(forced) | moved
    for id in dropped:
        first |= users(id)
    replaced, touched = _replaced(context, first, forced, users)
    # A partition is taken off before its table is made anew, and put on again.
    _refuse_lost_ground(context, touched, replaced - carried.keys(), dropped, altered)
    renewed = _renewed(context, created, moved.union(*(users(id) for id in replaced)) if replaced else moved)
    kept = {id: alteration for id, alteration in altered.items() if id not in replaced}
    late = tuple(_forgotten(context, changes, kept, users, replaced))
    lasting = {
        id: found for id in replaced | renewed if (found := _lasting(id, context, created | kept.keys()))
    }
    return Fates(dropped, created, frozenset(replaced), frozenset(renewed), kept, carried, late, lasting)


def _outgrown(context: Context, changes: Iterable[Change]) -> Iterator[ObjectId]:
    """Indexes that do not differ, but would once a partition is attached."""
    if not any(change.id.kind == "partition" and change.verb != "drop" for change in changes):
        return
    for fact in context.after.by_kind.get("index", ()):
        old = context.before.facts.get(fact.id)
        if old is not None and KINDS["index"].alter(old, fact, context) is None:
            yield fact.id


def _forgotten(
    context: Context,
    changes: Iterable[Change],
    altered: Mapping[ObjectId, Alteration],
    users: Callable[[ObjectId], set[ObjectId]],
    replaced: set[ObjectId],
) -> Iterator[Statement]:
    """What goes on standing on something whose type changes, or changes its columns, and does not come through that whole."""
    sides = (context.before, context.after)
    touched = {change.id for change in changes if change.id.kind == "column"}
    retyped = {one for id, a in altered.items() if a.rebuilds for one in (id, *a.through)}
    found = {side.facts[id].parent for id in touched | retyped for side in sides if id in side.facts}
    found |= retyped.union(*(users(id) for id in retyped))
    for one in sorted(id for id in found - replaced if id is not None):
        write = KINDS[one.kind].forgotten
        if write is not None and one in context.before.facts and one in context.after.facts:
            yield from write(context.after.facts[one], context)


def _lasting(id: ObjectId, context: Context, different: Collection[ObjectId]) -> tuple[Fact, ...]:
    """What comes to stand on this one and holds rows; of the columns of a new table, the table."""
    before, after = context.before, context.after
    found: set[ObjectId] = set()
    for user in after.dependents.get(id, frozenset()):
        fact = after.facts[user]
        if user not in different or id in before.edges.get(user, frozenset()) or remakeable(fact):
            continue
        new = fact.parent is not None and fact.parent not in before.facts and fact.parent in after.facts
        found.add(fact.parent if new and fact.parent is not None else user)
    return tuple(after.facts[user] for user in sorted(found))


def _firing(table: ObjectId, context: Context) -> Iterator[ObjectId]:
    """The triggers of partitions themselves: rows that are carried over would fire them."""
    before, after = context.before, context.after
    for own in tree(before, table) | tree(after, table):
        for part in before.children.get(own, ()):
            if part.id.kind == "trigger" and part.id in after.facts and not part["copied"]:
                yield part.id


def remakeable(fact: Fact) -> bool:
    """Whether an object can be dropped and created without losing a row: of the columns, a generated one can, and one of a
    foreign table, whose rows are elsewhere."""
    if fact.id.kind == "column" and fact.parent is not None:
        return bool(fact["generated"]) or KINDS[fact.parent.kind].replaceable
    return KINDS[fact.id.kind].replaceable


def _replaced(
    context: Context,
    start: Iterable[ObjectId],
    forced: set[ObjectId],
    users: Callable[[ObjectId], set[ObjectId]],
) -> tuple[set[ObjectId], set[ObjectId]]:
    """(everything that has to be made anew because something it stands on is, what was reached and stays)."""
    before, after = context.before, context.after
    found: set[ObjectId] = set()
    stays: set[ObjectId] = set()
    todo = list(start)
    while todo:
        id = todo.pop()
        if id in found or id not in before.facts or id not in after.facts:
            continue
        if id not in forced and not (remakeable(before.facts[id]) and remakeable(after.facts[id])):
            stays.add(id)
            continue
        found.add(id)
        todo += users(id)
        todo += [part.id for part in before.children.get(id, ())]
    return found, stays


def _refuse_lost_ground(
    context: Context,
    stays: set[ObjectId],
    replaced: set[ObjectId],
    dropped: frozenset[ObjectId],
    altered: Mapping[ObjectId, Alteration],
) -> None:
    """An object that holds rows may stay only when nothing it goes on needing is taken away under it."""
    before, after = context.before.edges, context.after.edges
    for id in sorted(stays):
        needs = before.get(id, frozenset())
        gone = needs & after.get(id, frozenset()) & replaced
        if id not in altered:
            gone |= needs & dropped
        for need in sorted(gone):
            raise Unplannable(
                f"{id.kind} {id} needs {need.kind} {need}, which would have to be made anew under it"
            )


def _renewed(context: Context, created: frozenset[ObjectId], start: Iterable[ObjectId]) -> set[ObjectId]:
    """The new objects that stand on replaced or displaced ones, and what stands on those."""
    after = context.after
    found: set[ObjectId] = set()
    todo = list(start)
    while todo:
        id = todo.pop()
        if id in found or id not in created or not remakeable(after.facts[id]):
            continue
        found.add(id)
        whole = after.facts[id].parent
        if id.kind == "column" and whole in created:
            todo.append(whole)  # a foreign table is written with all its columns
        todo += after.dependents.get(id, ())
        todo += [part.id for part in after.children.get(id, ())]
    return found
