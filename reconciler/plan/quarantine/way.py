"""One direction of a plan, as the functions that keep data see it. No SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.catalog.kinds import Context
from reconciler.model import ObjectId, Snapshot, Statement


@dataclass(frozen=True, slots=True)
class Way:
    """Leads from `before` to `after`; `forward` is the UP. `ends` are the fingerprints of the states before and after the UP.
    `fills` are the declared values for rows that exist already, `undo` those of the opposite direction. `renames` are the texts of
    statements that rename: what is said here of names is true between those at the beginning and those at the end."""

    before: Snapshot
    after: Snapshot
    ends: tuple[str, str]
    forward: bool
    applier: str = ""
    large: frozenset[ObjectId] = frozenset()
    fills: Mapping[ObjectId, str] = field(default_factory=dict)
    undo: Mapping[ObjectId, str] = field(default_factory=dict)
    renames: frozenset[str] = frozenset()

    def is_large(self, table: ObjectId) -> bool:
        """Whether a lock must not last as long as it takes to read the table."""
        return table in self.large

    @property
    def context(self) -> Context:
        """What the kinds need to write SQL for this direction."""
        return Context(self.before, self.after, self.applier)

    def tag(self, id: ObjectId) -> str:
        """16 hex digits, the same in both directions of one plan: what UP keeps of an object its DOWN finds, and the other way
        round. Other migrations have other tags, unless they lead between the same two states."""
        return hashlib.sha256("\0".join((*id, *sorted(self.ends))).encode()).hexdigest()[:16]

    def begin(self, statements: Sequence[Statement]) -> int:
        """The place behind the renames at the beginning."""
        at = 0
        for n, statement in enumerate(statements):
            if statement.sql in self.renames:
                at = n + 1
            elif not statement.sql.startswith("set local "):
                break
        return at

    def end(self, statements: Sequence[Statement]) -> int:
        """The place behind the last statement that does not rename."""
        return max((n + 1 for n, s in enumerate(statements) if s.sql not in self.renames), default=0)

    def ahead(self, statements: Sequence[Statement], first: Iterable[Statement]) -> tuple[Statement, ...]:
        """`first`, and then the statements; the renames they begin with come before."""
        at = self.begin(statements)
        return (*statements[:at], *first, *statements[at:])

    def gone(self, id: ObjectId) -> bool:
        return id in self.before.facts and id not in self.after.facts

    def new(self, id: ObjectId) -> bool:
        return id in self.after.facts and id not in self.before.facts


Rewrite = Callable[[tuple[Statement, ...], Way], tuple[Statement, ...]]
"""The statements of one direction → the same, keeping what they would destroy."""
