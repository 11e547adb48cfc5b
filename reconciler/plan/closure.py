"""Which part of a large database a small change can touch, or be touched by: the slice on which a plan is made and rehearsed.

Whatever changed, whole and with all its parts; everything that stands on it, transitively, each with its own whole; everything
these need; what the routines among them speak of; the other members of a family of partitions or of inheritance; routines of
the same name, between which PostgreSQL chooses; who bears a name that is to be given; and what stands above all: schemas,
extensions, default privileges, casts, operators, event triggers, publications. Pure. Promises a set that is closed: nothing
in it needs anything outside. Promises nothing about size: that is for the caller to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from reconciler.model import Change, Fact, ObjectId, Snapshot
from reconciler.plan.mentions import NAMED, SPEAKERS, words
from reconciler.plan.precedence import names

ABOVE = frozenset(
    {
        "schema", "extension", "default_privilege", "builtin_privilege", "event_trigger", "publication",
        "publication_schema", "cast", "operator", "operator_family", "operator_class", "collation", "conversion", "language",
        "transform", "access_method", "text_search_parser", "text_search_template", "text_search_dictionary",
        "text_search_configuration", "foreign_data_wrapper",
    }
)  # fmt: skip
"""Kinds that may influence a statement without being named in it; all of them belong to every slice."""
EVERYWHERE = frozenset(
    {
        "role",
        "membership",
        "extension",
        "publication",
        "subscription",
        "access_method",
        "language",
        "event_trigger",
    }
)
"""Kinds whose own change may reach any object: for these no slice is small enough to be worth it."""
_TABLES = frozenset({"table", "foreign_table"})
_FAMILY = frozenset({"table", "foreign_table", "partition"})


def closure(
    before: Snapshot, after: Snapshot, changes: Collection[Change], texts: Iterable[str] = ()
) -> frozenset[ObjectId]:
    """The objects of the slice, of either side. `texts` are expressions of a person's that the plan will run."""
    return _Closure(before, after).of([change.id for change in changes], texts)


def sliceable(changes: Iterable[Change]) -> bool:
    """Whether these changes reach no further than the objects that PostgreSQL records as dependent."""
    return not any(change.id.kind in EVERYWHERE for change in changes)


class _Closure:
    """The set while it grows. `whole` ones have all their parts in it; of a table that is only needed, columns and keys are."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self.sides = (before, after)
        self.kept: set[ObjectId] = set()
        self.whole: set[ObjectId] = set()
        self.framed: set[ObjectId] = set()
        self.todo: list[ObjectId] = []

    def of(self, changed: list[ObjectId], texts: Iterable[str]) -> frozenset[ObjectId]:
        for id in self._influenced(changed):
            self._add(id, whole=True)
        for side in self.sides:
            for kind in ABOVE:
                for fact in side.by_kind.get(kind, ()):
                    self._add(fact.id)
        for id in self._bearers(changed):
            self._add(id, whole=True)
        for text in texts:
            self._spoken(text)
        while self.todo:
            self._ground(self.todo.pop())
        return frozenset(self.kept)

    def _influenced(self, changed: list[ObjectId]) -> set[ObjectId]:
        """What changed with its whole and parts, and what stands on any of it."""
        found: set[ObjectId] = set()
        todo = [part for id in changed for part in self._with_parts(self._top(id))]
        todo += changed
        while todo:
            id = todo.pop()
            if id in found:
                continue
            found.add(id)
            for side in self.sides:
                todo += side.dependents.get(id, ())
                todo += [part.id for part in side.children.get(id, ()) if id.kind != "publication"]
        return found

    def _add(self, id: ObjectId, *, whole: bool = False) -> None:
        if id not in self.kept:
            self.kept.add(id)
            self.todo.append(id)
        top = self._top(id)
        if top.kind == "publication":
            if top != id:
                self._add(top)
            return
        if top in self.whole:
            return
        if whole or top.kind not in _TABLES:
            self.whole.add(top)
            self.todo.append(top)  # again, when it was there: now its whole family comes along
            parts = self._with_parts(top)
        elif top not in self.framed:
            self.framed.add(top)
            parts = self._frame(top)
        else:
            return
        for part in parts:
            if part not in self.kept:
                self.kept.add(part)
                self.todo.append(part)

    def _ground(self, id: ObjectId) -> None:
        """What `id` cannot be without, or not be understood without."""
        whole = self._top(id) in self.whole
        for side in self.sides:
            fact = side.facts.get(id)
            if fact is None:
                continue
            needs = side.edges.get(id, frozenset())
            for need in needs if fact.parent is None else needs | {fact.parent}:
                self._add(need, whole=whole and id.kind in _FAMILY and need.kind in _FAMILY)
            if id.kind in SPEAKERS:
                for other in self._by_name.get((id.schema, id.name), ()):
                    self._add(other)
                if fact["language"] not in ("c", "internal"):
                    self._spoken(str(fact["definition"] or ""))
            if id.kind in _TABLES:
                for user in side.dependents.get(id, ()):
                    if self._is_child(side, user) or (whole and user.kind == "publication_table"):
                        self._add(user, whole=whole)

    def _is_child(self, side: Snapshot, user: ObjectId) -> bool:
        """Whether `user`, which needs a table, is a partition of it or inherits from it."""
        fact = side.facts[user]
        return user.kind == "partition" or (
            user.kind in _TABLES and bool(fact["inherits"] or fact["partition"])
        )

    def _spoken(self, text: str) -> None:
        for word in words(text):
            for id in self._named.get(word, ()):
                self._add(id, whole=True)

    def _bearers(self, changed: Iterable[ObjectId]) -> Iterator[ObjectId]:
        """Who bears a name that one of these is to have: found here, not when the plan runs."""
        given = {name for id in changed for side in self.sides for name in _names(side.facts.get(id))}
        for side in self.sides:
            for id, fact in side.facts.items():
                called = {(id.schema, id.name), (id.schema, id.part), (id.schema, id.name + id.part)}
                likely = not given.isdisjoint(called) or (id.kind == "column" and fact["identity"])
                if likely and not given.isdisjoint(_names(fact)):
                    yield id

    def _top(self, id: ObjectId) -> ObjectId:
        parent: ObjectId | None = id
        while parent is not None:
            id = parent
            fact = self.sides[0].facts.get(id) or self.sides[1].facts.get(id)
            parent = fact.parent if fact is not None else None
        return id

    def _with_parts(self, top: ObjectId) -> Iterator[ObjectId]:
        yield top
        for side in self.sides:
            for part in side.children.get(top, ()):
                yield from self._with_parts(part.id)

    def _frame(self, table: ObjectId) -> Iterator[ObjectId]:
        """Of a table that is only needed: its columns, their defaults, and the keys by which rows are found."""
        yield table
        for side in self.sides:
            for part in side.children.get(table, ()):
                if part.id.kind == "column" or (
                    part.id.kind == "constraint" and part["type"] in ("p", "u", "x")
                ):
                    yield from self._with_parts(part.id)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], list[ObjectId]]:
        found: dict[tuple[str, str], list[ObjectId]] = {}
        for side in self.sides:
            for kind in SPEAKERS:
                for fact in side.by_kind.get(kind, ()):
                    found.setdefault((fact.id.schema, fact.id.name), []).append(fact.id)
        return found

    @cached_property
    def _named(self) -> dict[str, list[ObjectId]]:
        found: dict[str, list[ObjectId]] = {}
        for side in self.sides:
            for kind in NAMED:
                for fact in side.by_kind.get(kind, ()):
                    found.setdefault(fact.id.name, []).append(fact.id)
        return found


def _names(fact: Fact | None) -> frozenset[tuple[str, str]]:
    return names(fact) if fact is not None else frozenset()
