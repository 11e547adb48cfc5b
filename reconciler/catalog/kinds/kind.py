"""What the rest of the program may ask of a kind of object, and nothing more.

A kind knows how to read its objects from PostgreSQL's catalogs and which SQL creates, alters and drops one. It never
orders statements, never looks at another kind's attributes, never connects to anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from reconciler.catalog.scope import Scope
from reconciler.model import Fact, ObjectId, Snapshot, Statement


@dataclass(frozen=True)
class Context:
    """What a kind may know about the plan it writes for.

    `applier` is the role that will run the statements: a new object belongs to it unless told otherwise. `fills`
    maps a column to the SQL expression that gives its value to rows that exist already.
    """

    before: Snapshot
    after: Snapshot
    applier: str = ""
    fills: Mapping[ObjectId, str] = field(default_factory=dict)

    @property
    def major(self) -> int:
        """The server's major version."""
        return self.after.major or self.before.major

    @cached_property
    def constraint_names(self) -> frozenset[tuple[str, str]]:
        """(schema, name) of the constraints that have a name of their own, on either side: PostgreSQL gives none of these to
        a constraint that it names itself."""
        found = set()
        for side in (self.before, self.after):
            for kind in ("constraint", "domain_constraint"):
                found |= {(fact.id.schema, fact.id.part) for fact in side.by_kind.get(kind, ())}
            for fact in side.by_kind.get("column", ()):
                if isinstance(fact["not_null"], dict):
                    found.add((fact.id.schema, fact["not_null"]["name"]))
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Alteration:
    """An object changed in place.

    `displaces` says which objects that depend on it must be out of the way meanwhile: they are dropped before and
    created again after. `through` are objects changed by the same statements (the columns of a type that is made
    anew): what depends on them is asked too. `rebuilds` says that PostgreSQL makes anew by itself what stands on it and on
    `through`. `late` are statements that take effect only when the rest of the plan is done.
    """

    statements: tuple[Statement, ...]
    displaces: Callable[[Fact], bool] = field(default=lambda fact: False)
    through: frozenset[ObjectId] = frozenset()
    rebuilds: bool = False
    late: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Carry:
    """How the rows of an object that is made anew get into the new one.

    `aside` runs instead of the drop, before anything the rows are in is touched; `back` when the new object, and what its
    rows go into, is there.
    """

    aside: Statement
    back: Statement


Create = Callable[[Fact, Context, tuple[Fact, ...]], list[Statement]]
"""(the object, context, the parts to write inside the same statement) → statements."""
Drop = Callable[[Fact, Context], list[Statement]]
Alter = Callable[[Fact, Fact, Context], Alteration | None]
"""(before, after, context) → how to change it in place, or None when it must be dropped and created."""
Forgotten = Callable[[Fact, Context], list[Statement]]
"""(the object, context) → what has to be said again after a column under it, or of it, got another type."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object. `name` is the name of its module.

    `read(scope, major)` is a query with the columns of `catalog.snapshot`. `inline` says whether an object may be written
    inside the CREATE of its parent: all of the kind, or those for which a function of the fact says so. `replaceable` kinds hold no rows of their own and may be dropped and created again when
    something they depend on is replaced. `drop_late` kinds hold rows that other statements may still read. `carry` is for
    kinds that hold rows and can be made anew all the same. `forgotten` is for those that do not survive a change of type whole.
    """

    name: str
    read: Callable[[Scope, int], str]
    create: Create
    drop: Drop
    alter: Alter
    inline: bool | Callable[[Fact], bool] = False
    replaceable: bool = True
    drop_late: bool = False
    carry: Callable[[Fact, Fact, Context], Carry] | None = None
    forgotten: Forgotten | None = None


class Unplannable(Exception):
    """A difference this program cannot turn into SQL. The message is a sentence; the planner refuses with it."""
