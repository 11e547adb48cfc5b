"""One direction of a plan as the rewriting functions see it: which tables are busy, what stays as it is, which names are free.

Knows the two states and the sizes of the target's tables. What it remembers from one statement to the next (what is finished
late, what it leaves behind when it is interrupted) is written here and nowhere else. No SQL.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reconciler.catalog.kinds import Context
from reconciler.model import Fact, Limits, ObjectId, Size, Snapshot, Statement
from reconciler.pg import ident
from reconciler.plan.taken import bearers

_MAKES = r"\b(create|drop) (unlogged )?(table|materialized view) (if (not )?exists )?"
_TYPES = frozenset({"enum", "domain", "composite", "range", "collation", "function"})
_AS_BEFORE = ("type", "collation", "generated", "expression", "inherited")


@dataclass(frozen=True, slots=True)
class Stage:
    """A statement before or behind the main transaction. `alone` ones take long: they share a transaction with nothing."""

    statement: Statement
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What becomes of one statement: `before` everything else of the plan, `main` in its place, `late` behind everything."""

    before: tuple[Stage, ...] = ()
    main: tuple[Statement, ...] = ()
    late: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Remain:
    """What an interrupted run may leave: the object of that class and name, on `table` or in its schema."""

    kind: str
    table: ObjectId
    name: str


@dataclass
class Course:
    """Leads from `before` to `after` by `statements`. `sizes` are by the names of `before`."""

    statements: Sequence[Statement]
    before: Snapshot
    after: Snapshot
    sizes: Mapping[ObjectId, Size]
    limits: Limits
    context: Context
    late: set[ObjectId] = field(default_factory=set)
    """What is complete only behind the main transaction."""
    filled: bool = False
    """Whether rows are filled behind the main transaction, perhaps from what goes later."""
    handled: set[ObjectId] = field(default_factory=set)
    """Objects whose remaining statements say nothing more."""
    aside: set[ObjectId] = field(default_factory=set)
    """Indexes that keep their place until another takes their name."""
    closing: dict[ObjectId, tuple[Statement, ...]] = field(default_factory=dict)
    """By column: what runs with its SET NOT NULL, or behind its last value."""
    remains: list[Remain] = field(default_factory=list)

    @property
    def major(self) -> int:
        return self.context.major

    @cached_property
    def fresh(self) -> frozenset[ObjectId]:
        """Tables that this plan makes, or makes anew: nobody is waiting for them."""
        return frozenset(s.subject for s in self.statements if s.subject is not None and _makes(s, s.subject))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that a temporary object must not take, in any schema."""
        own = {
            fact.id.part or fact.id.name for side in (self.before, self.after) for fact in side.facts.values()
        }
        return frozenset(own | {name for side in (self.before, self.after) for _, name in bearers(side)})

    @cached_property
    def taken(self) -> frozenset[tuple[str, str]]:
        """(schema, name) of every relation of the state before."""
        return bearers(self.before)

    def table(self, part: ObjectId) -> ObjectId:
        """The table or materialized view that this is a part of."""
        for side in (self.after, self.before):
            fact = side.facts.get(part)
            if fact is not None and fact.parent is not None:
                return fact.parent
        return ObjectId("table", part.schema, part.name)

    def busy(self, table: ObjectId) -> bool:
        """Whether it was there before with so many rows, its partitions included, that nobody may wait until they are read."""
        if table not in self.before.facts or table not in self.after.facts or table in self.fresh:
            return False
        return self.rows(table) >= self.limits.online_rows

    def rows(self, table: ObjectId) -> int:
        """Of the whole tree of partitions that this table is in, and of its children."""
        top, seen = table, {table}
        while (above := self._above(top)) is not None and above not in seen:
            top = above
            seen.add(top)
        return sum(self.sizes[id].rows for id in self.family(top) if id in self.sizes)

    def _above(self, table: ObjectId) -> ObjectId | None:
        partition = ObjectId("partition", table.schema, table.name)
        needs = self.before.edges.get(partition, frozenset())
        return next((id for id in sorted(needs) if id.kind == "table" and id != table), None)

    def family(self, table: ObjectId) -> tuple[ObjectId, ...]:
        """The table of the state before, its partitions and children at every depth, parents first."""
        return self._family(self.before, table)

    @staticmethod
    def _family(side: Snapshot, table: ObjectId) -> tuple[ObjectId, ...]:
        found = [table]
        for id in found:
            for user in sorted(side.dependents.get(id, ())):
                child = ObjectId("table", user.schema, user.name)
                if user.kind in ("partition", "table") and child not in found and child in side.facts:
                    found.append(child)
        return tuple(found)

    def inherits(self, table: ObjectId) -> bool:
        """Whether it has children that are no partitions."""
        return any(
            not (fact := self.before.facts[child])["partition"] and fact["inherits"]
            for child in self.family(table)[1:]
        )

    def moving(self, table: ObjectId) -> bool:
        """Whether a partition or child of its family comes or goes."""
        around = {*self.family(table), *self._family(self.after, table)}
        return any(
            self.before.digests.get(bound) != self.after.digests.get(bound) or self._parents(member)
            for member in around
            for bound in (ObjectId("partition", member.schema, member.name),)
        )

    def rekeyed(self, table: ObjectId) -> bool:
        """Whether it gets or loses something unique, on which a foreign key could stand."""
        return any(
            self.before.digests.get(part.id) != self.after.digests.get(part.id)
            for side in (self.before, self.after)
            for part in side.children.get(table, ())
            if _is_unique(part)
        )

    def repointed(self, table: ObjectId) -> bool:
        """Whether a foreign key to it comes, goes or changes."""
        return any(
            need.kind in ("constraint", "index") and self.table(need) == table
            for side in (self.before, self.after)
            for fact in side.by_kind.get("constraint", ())
            if fact["type"] == "f" and self.before.digests.get(fact.id) != self.after.digests.get(fact.id)
            for need in side.edges.get(fact.id, ())
        )

    def _parents(self, table: ObjectId) -> bool:
        """Whether it is the child of other tables than before."""
        old, new = self.before.facts.get(table), self.after.facts.get(table)
        return old is None or new is None or old["inherits"] != new["inherits"]

    def partitioned(self, table: ObjectId) -> bool:
        return any(
            table in side.facts and side.facts[table]["partition_by"] for side in (self.before, self.after)
        )

    def steady(self, id: ObjectId, *, besides: Iterable[str] = ()) -> bool:
        """Whether the object is there at the beginning as it is at the end, for somebody who needs it."""
        if id.kind in ("table", "materialized_view"):
            return id in self.before.facts and id not in self.fresh
        if id.kind == "column" and id not in self.late:
            old, new = self.before.facts.get(id), self.after.facts.get(id)
            same = old is not None and new is not None and all(old[k] == new[k] for k in _AS_BEFORE)
            return same and all(
                self.steady(need) for need in self.after.edges.get(id, ()) if need.kind in _TYPES
            )
        had = self.before.digests.get(id)
        return had is not None and had == self.after.digests.get(id) and id not in self.late

    def ready(self, id: ObjectId) -> bool:
        """Whether everything that this index or constraint stands on is there at the beginning as it is at the end."""
        needs = set(self.after.edges.get(id, frozenset()))
        fact = self.after.facts[id]
        if fact.parent is not None:
            needs.add(fact.parent)
        if id.kind == "index":  # a partition's index waits for its parent's only when it is attached
            needs = {need for need in needs if need.kind != "index"}
        return all(self.steady(need) for need in needs)

    def temporary(self, base: str, *content: str) -> str:
        """A name within 63 bytes that nothing has on either side, always the same for the same content."""
        mark = hashlib.sha256("\0".join((base, *content)).encode()).hexdigest()[:8]
        number = 0
        while True:
            tail = f"_{mark}" + (f"_{number}" if number else "")
            name = base.encode()[: 63 - len(tail)].decode(errors="ignore") + tail
            if name not in self.names:
                return name
            number += 1

    def preceded(self, statement: Statement) -> bool:
        """Whether something is done before to an object of this name: it goes, or makes way."""
        at = next(i for i, s in enumerate(self.statements) if s is statement)
        return any(s.subject == statement.subject for s in self.statements[:at])

    def follows(self, statement: Statement, test: Callable[[Statement], bool]) -> bool:
        """Whether a later statement about the same object passes the test."""
        at = next(i for i, s in enumerate(self.statements) if s is statement)
        return any(s.subject == statement.subject and test(s) for s in self.statements[at + 1 :])

    def fact(self, id: ObjectId) -> Fact:
        return self.after.facts[id]


def _makes(statement: Statement, id: ObjectId) -> bool:
    """Whether this makes the table itself, or takes it away: others may be made for what it holds."""
    if id.kind not in ("table", "materialized_view"):
        return False
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (id.schema, id.name))
    named = "|".join(re.escape(name) for name in {ident(id.schema, id.name), quoted})
    return re.search(rf"{_MAKES}({named})(?![\w.])", statement.sql, re.IGNORECASE) is not None


def _is_unique(part: Fact) -> bool:
    if part.id.kind == "index":
        return str(part["definition"]).startswith("CREATE UNIQUE ")
    return part.id.kind == "constraint" and part["type"] in ("p", "u")


Rewrite = Callable[[Statement, Course], Placed | None]
"""What becomes of a statement in the online form; None when it is not for this function, or there is no such form."""
