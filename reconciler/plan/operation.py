"""What is to be done with one object, and what it needs for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.catalog.kinds import Context
from reconciler.model import ObjectId, Snapshot

Verb = Literal["aside", "drop", "alter", "create", "back"]
"""`aside` and `back`: of a table that is made anew, its rows out of the way and in again."""
ALL_VERBS: tuple[Verb, ...] = ("drop", "alter", "create")
CARRY: tuple[Verb, Verb] = ("aside", "back")


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    verb: Verb
    id: ObjectId


Edge = tuple[Operation, Operation]
"""(later, earlier)"""


def side_of(operation: Operation, context: Context) -> Snapshot:
    """Where the object of an operation is described. A renewed object is dropped as it will be, it never was."""
    dropping = operation.verb == "drop" and operation.id in context.before.facts
    return context.before if dropping else context.after


def needs(side: Snapshot, id: ObjectId) -> frozenset[ObjectId]:
    fact = side.facts.get(id)
    found = side.edges.get(id, frozenset())
    return found | {fact.parent} if fact is not None and fact.parent is not None else found
