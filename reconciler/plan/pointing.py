"""Foreign keys and what they point to: a key of another table, and every partition of that table.

Knows that PostgreSQL takes whichever key with these columns was made first, whatever a person had in mind, and that a partition to
which rows may point has to be detached before it is dropped. Gives edges for `precedence`; never chooses an order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from reconciler.catalog.kinds import Context, constraint
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.plan.operation import Edge, Operation


def dropped_first(foreign: Operation, context: Context) -> Iterator[Edge]:
    """A foreign key goes before every key that it may stand on: after a way there and back it can be another than it was."""
    for key in _candidates(context.before.facts[foreign.id], context.before, context.before):
        yield Operation("drop", key), foreign


def made_right(foreign: Operation, context: Context) -> Iterator[Edge]:
    """A foreign key finds the key it stands on: others with its columns are gone, or are made after that one."""
    fact, after = context.after.facts[foreign.id], context.after
    for key in _candidates(fact, after, context.before):
        yield foreign, Operation("drop", key)
    meant = after.edges.get(foreign.id, frozenset())
    for key in _candidates(fact, after, after):
        if key not in meant:
            yield from (
                (Operation("create", key), Operation("create", need)) for need in meant if _is_key(need)
            )


def leaving(context: Context, everything: Collection[Operation]) -> Iterator[Edge]:
    """A partition leaves after the foreign keys that go, so that no row holds it, and before those that come."""
    gone = _detached(context, everything)
    pointers = [constraint.pointers(side) if gone else {} for side in (context.before, context.after)]
    for partition in gone:
        table = Operation("drop", ObjectId("table", partition.id.schema, partition.id.name))
        for above in constraint.above(partition.id, context.before):
            for left in (partition, table):
                yield from ((left, Operation("drop", key.id)) for key in pointers[0].get(w.name(above), ()))
                yield from ((Operation("create", key.id), left) for key in pointers[1].get(w.name(above), ()))


def detached_first(context: Context, everything: Collection[Operation]) -> set[Operation]:
    """The partitions that are not just dropped, because a foreign key that stays points to them."""
    gone = _detached(context, everything)
    pointers = constraint.pointers(context.before) if gone else {}
    return {
        partition
        for partition in gone
        for above in constraint.above(partition.id, context.before)
        for key in pointers.get(w.name(above), ())
        if Operation("drop", key.id) not in everything
    }


def _detached(context: Context, everything: Collection[Operation]) -> list[Operation]:
    return [
        o
        for o in everything
        if o.verb == "drop" and o.id.kind == "partition" and o.id in context.before.facts
    ]


def _is_key(id: ObjectId) -> bool:
    return id.kind in ("constraint", "index")


def _candidates(foreign: Fact, known: Snapshot, side: Snapshot) -> frozenset[ObjectId]:
    """The keys of `side` that have the columns to which the foreign key of `known` points."""
    found: dict[ObjectId, set[frozenset[str]]] = defaultdict(set)
    for need in known.edges.get(foreign.id, frozenset()):
        key = known.facts.get(need)
        if _is_key(need) and key is not None and key.parent is not None:
            found[key.parent].add(_columns(key))
    return frozenset(
        part.id
        for table, columns in found.items()
        for part in side.children.get(table, ())
        if _is_key(part.id) and _columns(part) and _columns(part) in columns
    )


def _columns(key: Fact) -> frozenset[str]:
    """The columns of a key, as PostgreSQL prints them; nothing for what is no key."""
    text = str(key["definition"])
    if key.id.kind == "index":
        text = text.partition(" USING btree ")[2] if text.startswith("CREATE UNIQUE INDEX ") else ""
    elif key["type"] not in ("p", "u"):
        text = ""
    return frozenset(text.partition("(")[2].partition(")")[0].split(", ")) - {""}
