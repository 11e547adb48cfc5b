"""What the rules know of a database: typed values, read once (`read.py`). Nothing here asks a server anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from reconciler.audit.rules.tree import Node
from reconciler.audit.rules.tree import read as tree
from reconciler.model import ObjectId
from reconciler.platforms import Platform

Command = Literal["select", "insert", "update", "delete"]
COMMANDS: tuple[Command, ...] = ("select", "insert", "update", "delete")
PUBLIC = "public"
"""Everybody, as a grantee: a name no role can have."""


@dataclass(frozen=True, slots=True)
class Role:
    """`inherits` are the roles whose privileges it has without doing anything, `becomes` those it can SET ROLE to, both
    without itself."""

    name: str
    login: bool = False
    superuser: bool = False
    bypasses: bool = False
    inherits: frozenset[str] = frozenset()
    becomes: frozenset[str] = frozenset()

    @property
    def unbound(self) -> bool:
        """Whether row-level security never binds it."""
        return self.superuser or self.bypasses


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """`to` may do `privilege` (in lower case), on one column when `column` is not empty."""

    to: str
    privilege: str
    column: str = ""
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """`identity` is `a` (always), `d` (by default) or empty; `type` as format_type() says it; `default` its expression."""

    name: str
    number: int
    type: str
    nullable: bool
    identity: str = ""
    generated: bool = False
    default: str = ""


@dataclass(frozen=True)
class Relation:
    """A table (`letter` r, p), view (v), materialized view (m), foreign table (f) or sequence (S).

    `grants` are without the owner's. `parents` are what it is a partition of (`partition`) or inherits from. `stored` is the query
    of a view as PostgreSQL keeps it. `updatable` holds the commands that can be run on a view as on a table. `member`: an extension brought it.
    """

    oid: int
    id: ObjectId
    letter: str
    owner: str
    rls: bool = False
    forced: bool = False
    grants: tuple[Grant, ...] = ()
    options: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    parents: tuple[int, ...] = ()
    partition: bool = False
    stored: str = ""
    updatable: frozenset[Command] = frozenset()
    member: bool = False

    def column(self, number: int) -> Column | None:
        return next((one for one in self.columns if one.number == number), None)

    @cached_property
    def query(self) -> Node | None:
        """The query of a view; read when a rule looks at it."""
        found = tree(self.stored) if self.stored else None
        return found[0] if isinstance(found, list) and found and isinstance(found[0], Node) else None

    @property
    def invoker(self) -> bool:
        """Whether a view reads with its reader's rights."""
        return bool(self.options & {"security_invoker=true", "security_invoker=on", "security_invoker=1"})

    @property
    def barrier(self) -> bool:
        return bool(self.options & {"security_barrier=true", "security_barrier=on", "security_barrier=1"})


@dataclass(frozen=True, slots=True)
class Condition:
    """USING or WITH CHECK: `text` as PostgreSQL prints it, `tree` as it stores it; `always` when it has the same value for all."""

    text: str
    tree: Node
    always: bool | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`commands` are those it speaks of; `roles` holds PUBLIC when it names none."""

    id: ObjectId
    table: int
    permissive: bool
    commands: tuple[Command, ...]
    roles: tuple[str, ...]
    using: Condition | None = None
    check: Condition | None = None

    @property
    def name(self) -> str:
        return self.id.part

    @property
    def conditions(self) -> tuple[tuple[str, Condition], ...]:
        """What it has of the two, with its words."""
        both = (("using", self.using), ("with check", self.check))
        return tuple((name, condition) for name, condition in both if condition is not None)

    def filters(self, command: Command) -> tuple[Condition, ...]:
        """What a row must pass: the old one for select, update and delete, the new one for insert and update."""
        old = (self.using,) if command != "insert" else ()
        new = (self.check or self.using,) if command in ("insert", "update") else ()
        return tuple(dict.fromkeys(one for one in (*old, *new) if one is not None))

    def covers(self, role: str) -> bool:
        return PUBLIC in self.roles or role in self.roles


@dataclass(frozen=True, slots=True)
class Function:
    """`search_path` is what it is pinned to, None when it is not; `volatility` i, s or v; `body` its source text.

    `member`: an extension brought it. `resolved`: its body is no text whose names are looked up at every call.
    """

    oid: int
    id: ObjectId
    owner: str
    language: str
    definer: bool
    volatility: str
    leakproof: bool
    returns: str
    arguments: int
    search_path: str | None
    body: str
    grants: tuple[Grant, ...] = ()
    member: bool = False
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`on_delete` and `on_update` are the letters of pg_constraint: a, r (nothing), c (cascade), n (null), d (default)."""

    id: ObjectId
    table: int
    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    on_delete: str
    on_update: str


@dataclass(frozen=True, slots=True)
class Index:
    """`columns` holds an empty name for an expression, whose text is in `expressions`. `id` is the constraint it stands behind, if there is one."""

    id: ObjectId
    table: int
    columns: tuple[str, ...]
    unique: bool
    primary: bool
    exclusion: bool
    partial: bool
    expressions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    owner: str
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class DefaultGrant:
    """What objects that `owner` will create in `schema` (empty: anywhere) grant; `on` is r, S, f, T, n."""

    owner: str
    schema: str
    on: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    name: str
    everything: bool
    tables: frozenset[int]


@dataclass(frozen=True, slots=True)
class Extension:
    name: str
    schema: str
    relocatable: bool


@dataclass(frozen=True, eq=False)
class Catalog:
    """All of it. `relations` and `functions` hold also what is outside the schemas looked at, because policies and views point
    there; `ours` names the schemas looked at."""

    major: int
    platform: Platform
    ours: frozenset[str]
    roles: Mapping[str, Role]
    schemas: Mapping[str, Schema]
    relations: Mapping[int, Relation]
    policies: tuple[Policy, ...]
    functions: Mapping[int, Function]
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    defaults: tuple[DefaultGrant, ...] = ()
    publications: tuple[Publication, ...] = ()
    extensions: tuple[Extension, ...] = ()

    def tables(self) -> tuple[Relation, ...]:
        return self.relations_of("r", "p")

    def relations_of(self, *letters: str) -> tuple[Relation, ...]:
        """The relations of these kinds that are looked at, by name; without those of extensions."""
        found = (r for r in self.relations.values() if r.letter in letters and r.id.schema in self.ours)
        return tuple(sorted((r for r in found if not r.member), key=lambda r: r.id))

    def own_functions(self) -> tuple[Function, ...]:
        found = (f for f in self.functions.values() if f.id.schema in self.ours and not f.member)
        return tuple(sorted(found, key=lambda f: f.id))

    @cached_property
    def by_table(self) -> Mapping[int, tuple[Policy, ...]]:
        found: dict[int, list[Policy]] = {}
        for policy in self.policies:
            found.setdefault(policy.table, []).append(policy)
        return {table: tuple(sorted(policies, key=lambda p: p.id)) for table, policies in found.items()}

    def policies_of(self, relation: Relation) -> tuple[Policy, ...]:
        return self.by_table.get(relation.oid, ())

    def indexes_of(self, table: Relation) -> tuple[Index, ...]:
        return self._indexes.get(table.oid, ())

    @cached_property
    def _indexes(self) -> Mapping[int, tuple[Index, ...]]:
        found: dict[int, list[Index]] = {}
        for index in self.indexes:
            found.setdefault(index.table, []).append(index)
        return {table: tuple(indexes) for table, indexes in found.items()}

    @cached_property
    def by_id(self) -> Mapping[ObjectId, Relation]:
        return {relation.id: relation for relation in self.relations.values()}

    def ancestors(self, table: Relation) -> Iterator[Relation]:
        """What a table is a partition of or inherits from, the nearest first."""
        for oid in table.parents:
            if oid in self.relations:
                yield self.relations[oid]
                yield from self.ancestors(self.relations[oid])

    def own_policies(self) -> tuple[tuple[Relation, Policy], ...]:
        """Each policy that is looked at, with its table."""
        return tuple((table, policy) for table in self.tables() for policy in self.policies_of(table))
