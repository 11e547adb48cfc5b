"""From two snapshots to statements, by the kinds alone.

What differs becomes operations (drop, alter, create). An object that cannot be altered in place is dropped and created
again, and so is everything that stands on it. Parts are written with their whole where PostgreSQL allows, and apart where
two objects need each other. The dependency graphs of both sides give the order: what needs another is dropped before it
and created after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reconciler.catalog.compare import compare
from reconciler.catalog.kinds import KINDS, RANK, Alteration, Context, Unplannable
from reconciler.model import Change, Fact, ObjectId, Snapshot, Statement
from reconciler.plan.order import arranged, cycles

Verb = Literal["drop", "alter", "create"]


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    verb: Verb
    id: ObjectId


def complete(context: Context, changes: tuple[Change, ...] | None = None) -> tuple[Statement, ...]:
    """The statements that lead from `context.before` to `context.after`, in an order PostgreSQL accepts.

    Raises Unplannable when a difference cannot be turned into SQL.
    """
    changes = compare(context.before, context.after) if changes is None else changes
    work = _Work(context, changes)
    order = work.arranged()
    found: list[Statement] = []
    for operation in order:
        found += work.statements(operation)
    return _bodies_unchecked(tuple(found))


class _Work:
    """The operations of one plan while they are being worked out; thrown away with it."""

    def __init__(self, context: Context, changes: Iterable[Change]) -> None:
        self.context = context
        self.before, self.after = context.before, context.after
        self.altered: dict[ObjectId, Alteration] = {}
        self.dropped = {change.id for change in changes if change.verb == "drop"}
        self.created = {change.id for change in changes if change.verb == "create"}
        replaced: list[ObjectId] = []
        displaced: list[tuple[ObjectId, Alteration]] = []
        for change in changes:
            if change.verb != "alter":
                continue
            old, new = self.before.facts[change.id], self.after.facts[change.id]
            alteration = KINDS[change.id.kind].alter(old, new, context)
            if alteration is None:
                replaced.append(change.id)
            else:
                self.altered[change.id] = alteration
                displaced.append((change.id, alteration))
        for id in sorted(self.dropped):
            replaced += self._users(id)
        for id, alteration in displaced:
            for start in sorted({id, *alteration.through}):
                replaced += [
                    user for user in self._users(start)
                    if user not in alteration.through and alteration.displaces(self.before.facts[user])
                ]  # fmt: skip
        self.replaced = self._closure(replaced)
        for id in self.replaced:
            self.altered.pop(id, None)
        self.apart: set[ObjectId] = set()

    def _users(self, id: ObjectId) -> list[ObjectId]:
        """What needs this object today and shall still exist afterwards."""
        return [
            u
            for u in sorted(self.before.dependents.get(id, ()))
            if u in self.before.facts and u in self.after.facts
        ]

    def _closure(self, start: Iterable[ObjectId]) -> set[ObjectId]:
        """Everything that has to be made anew because something it stands on is."""
        found: set[ObjectId] = set()
        todo = list(start)
        while todo:
            id = todo.pop()
            if id in found or id not in self.before.facts or id not in self.after.facts:
                continue
            if self._stays(id):
                continue
            found.add(id)
            todo += self._users(id)
            todo += [part.id for part in self.before.children.get(id, ())]
        return found

    def _stays(self, id: ObjectId) -> bool:
        """Whether an object that would be made anew must not be, because it holds rows.

        When its alteration already moves it off what is replaced or dropped, it simply stays.
        """
        kind = KINDS[id.kind]
        fact = self.before.facts[id]
        if kind.replaceable or (id.kind == "column" and fact["generated"]):
            return False
        if id.kind == "column" and id not in self.altered and self._is_replacement(id):
            return False
        if id in self.altered or not self._needs_gone(id):
            return True
        needs = ", ".join(f"{n.kind} {n}" for n in sorted(self._needs_gone(id)))
        raise Unplannable(f"{id.kind} {id} needs {needs}, which would have to be made anew under it")

    def _is_replacement(self, id: ObjectId) -> bool:
        """A column whose own kind says that it must be dropped and added."""
        old, new = self.before.facts[id], self.after.facts[id]
        return old.digest != new.digest and KINDS[id.kind].alter(old, new, self.context) is None

    def _needs_gone(self, id: ObjectId) -> set[ObjectId]:
        """What this object needs in both states and yet would not survive."""
        both = self.before.edges.get(id, frozenset()) & self.after.edges.get(id, frozenset())
        return {n for n in both if not self._survives(n)}

    def _survives(self, id: ObjectId) -> bool:
        return id in self.after.facts and not KINDS[id.kind].replaceable

    def _verbs(self) -> list[Operation]:
        found = [Operation("drop", id) for id in self.dropped | self.replaced]
        found += [Operation("alter", id) for id in self.altered]
        found += [Operation("create", id) for id in self.created | self.replaced]
        return sorted(found)

    def _whole(self, operation: Operation, everything: set[Operation]) -> Operation:
        """The operation that takes this one along: a part goes, or is written, with its whole."""
        while operation.id not in self.apart:
            side = self.before if operation.verb == "drop" else self.after
            parent = side.facts[operation.id].parent
            if operation.verb == "alter" or parent is None:
                break
            if operation.verb == "create" and not KINDS[operation.id.kind].inline:
                break
            above = Operation(operation.verb, parent)
            if above not in everything:
                break
            operation = above
        return operation

    def arranged(self) -> list[Operation]:
        operations = self._verbs()
        everything = set(operations)
        while True:
            self.whole = {operation: self._whole(operation, everything) for operation in operations}
            first = self._first(operations, everything)
            heads = sorted(set(self.whole.values()))
            order, rest = arranged(heads, first, self._preference)
            if not rest:
                return order
            if not self._split(heads, first):
                names = ", ".join(f"{o.verb} {o.id.kind} {o.id}" for o in rest[:6])
                raise Unplannable(f"these need each other in a circle: {names}")

    def _split(self, heads: list[Operation], first: dict[Operation, set[Operation]]) -> bool:
        """Take the parts on a cycle out of their wholes. False when there is nothing left to take apart."""
        members = {o for component in cycles(heads, first) for o in component}
        parts = {
            o.id for o, whole in self.whole.items()
            if whole in members and o != whole and o.id.kind != "column" and o.id not in self.apart
        }  # fmt: skip
        self.apart |= parts
        return bool(parts)

    def _first(
        self, operations: list[Operation], everything: set[Operation]
    ) -> dict[Operation, set[Operation]]:
        """For each operation, those that must come before it."""
        found: dict[Operation, set[Operation]] = {}

        def after(later: Operation, earlier: Operation) -> None:
            if later in everything and earlier in everything:
                a, b = self.whole[later], self.whole[earlier]
                if a != b:
                    found.setdefault(a, set()).add(b)

        for operation in operations:
            id = operation.id
            drop, create = Operation("drop", id), Operation("create", id)
            after(create, drop)
            for need in self._needs(self.before, id):
                gone, changed = Operation("drop", need), Operation("alter", need)
                after(gone, drop)
                after(changed, drop)
                if operation.verb == "alter" and need not in self.after.facts:
                    after(gone, operation)
            for need in self._needs(self.after, id):
                for earlier in (Operation("create", need), Operation("alter", need)):
                    after(create, earlier)
                    if operation.verb == "alter" and need not in self.before.edges.get(id, frozenset()):
                        after(operation, earlier)
        for name, gone in self._names(self.before, "drop", everything).items():
            made = self._names(self.after, "create", everything).get(name) if gone else None
            if made:
                for earlier in gone:
                    for later in made:
                        after(later, earlier)
        return found

    @staticmethod
    def _needs(side: Snapshot, id: ObjectId) -> set[ObjectId]:
        fact = side.facts.get(id)
        needs = set(side.edges.get(id, frozenset()))
        if fact is not None and fact.parent is not None:
            needs.add(fact.parent)
        return needs

    def _names(
        self, side: Snapshot, verb: Verb, everything: set[Operation]
    ) -> dict[tuple[str, str], list[Operation]]:
        """Who holds, or will hold, which name among relations and types."""
        found: dict[tuple[str, str], list[Operation]] = {}
        for operation in everything:
            if operation.verb != verb:
                continue
            name = _relation_name(side.facts[operation.id])
            if name:
                found.setdefault(name, []).append(operation)
        return found

    def _preference(self, operation: Operation) -> tuple[int, int, ObjectId]:
        """Drops first, from the outside in; but what holds rows goes last, when everything has been read from it."""
        kind = KINDS[operation.id.kind]
        if operation.verb == "drop":
            late = kind.drop_late and operation.id not in self.created and operation.id not in self.replaced
            return (2 if late else 0, -RANK[kind.name], operation.id)
        fact = self.after.facts[operation.id]
        # Columns and constraints in the order in which a person wrote them.
        place = ObjectId(fact.id.kind, fact.id.schema, fact.id.name, f"{fact.position:05d}{fact.id.part}")
        return (1, RANK[kind.name], place)

    def statements(self, operation: Operation) -> list[Statement]:
        kind = KINDS[operation.id.kind]
        if operation.verb == "drop":
            return kind.drop(self.before.facts[operation.id], self.context)
        if operation.verb == "alter":
            return list(self.altered[operation.id].statements)
        parts = sorted(
            (self.after.facts[o.id] for o, whole in self.whole.items() if whole == operation and o != whole),
            key=_part_order,
        )
        return kind.create(self.after.facts[operation.id], self.context, tuple(parts))


def _part_order(fact: Fact) -> tuple[int, int, str, ObjectId]:
    """Columns as declared; then constraints: primary key, unique, others by name."""
    first = "pux".find(fact["type"]) if fact.id.kind == "constraint" and fact["type"] in "pux" else 9
    return (RANK[fact.id.kind], fact.position, str(first), fact.id)


def _relation_name(fact: Fact) -> tuple[str, str] | None:
    kind = fact.id.kind
    if kind == "constraint":
        return (fact.id.schema, fact.id.part) if fact["type"] in ("p", "u", "x") else None
    named = (
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
    )
    return (fact.id.schema, fact.id.name) if kind in named else None


def _bodies_unchecked(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """Function bodies are strings to PostgreSQL: it records no dependencies of theirs, and checks them against what is there
    now. They are written in an order of ours, so the check is put off, as pg_dump does."""
    if not any(
        s.sql.startswith(("create or replace function", "create or replace procedure")) for s in statements
    ):
        return statements
    off = Statement(
        "set local check_function_bodies = off",
        "a function may use what is created after it",
        "catalog",
    )
    return (off, *statements)


def operations(context: Context) -> frozenset[Operation]:
    """What the kinds would do to which object, parts included, in no order."""
    work = _Work(context, compare(context.before, context.after))
    return frozenset(work._verbs())
