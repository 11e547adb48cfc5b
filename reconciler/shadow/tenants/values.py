"""The words of the package: whose a table is, who acts, and a world of two tenants. Values only; nothing here does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model import ObjectId
from reconciler.pg import Url

Side = Literal["A", "B"]
"""The two tenants: attacks are made by people of A upon rows of B."""
Ownership = Literal["root", "tenant", "via", "membership", "user", "global", "unknown"]


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose the rows of a table are, and how that is known.

    `root`: one row is one tenant. `tenant`: a column names the tenant. `via`: a foreign key leads to a table that does. `membership`: who belongs
    to which tenant. `user`: a column names a user. `global`: nobody's, shared by all on purpose. `unknown`: a finding. `columns` are
    those of this table that decide; `owner` is an SQL expression over the row `x` that gives the tenant's (for `user`: the user's) key as
    text, empty where there is none; `why` is a sentence.
    """

    table: ObjectId
    ownership: Ownership
    columns: tuple[str, ...] = ()
    owner: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Each table of the database by its id. `root` is the table of tenants, `users` the one of users, where there is one."""

    tables: Mapping[ObjectId, Owned]
    root: ObjectId | None = None
    users: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Someone who acts: a role, and the settings (custom GUCs, JSON claims among them) that a request of theirs carries.

    `sides` are the tenants they belong to. `bypasses` says that row-level security does not bind the role at all (superuser, BYPASSRLS).
    """

    name: str
    role: str
    settings: Mapping[str, str] = field(default_factory=dict)
    sides: tuple[Side, ...] = ()
    bypasses: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was made: its values as text by column (None is NULL), without generated columns."""

    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class World:
    """Two scratch databases that differ in one thing: in `both` the tenants A and B have rows, in `alone` only A has.

    `rows` are those of each tenant, by table, and `shared` those of nobody, also of tables of which nobody knows whose they are. A partition's
    rows stand under the partition and under the tables above it. `keys` are the tenants' keys (as text) and `users` their users' keys: an
    ordinary member, then one who may do more, then, with A, one who is a member of B as well (in `alone` of A only). `canaries` are
    texts that stand in that tenant's rows and nowhere else. `unseeded` says which tables hold no row of a tenant, and why;
    `uncalibrated`, by the name of an identity, why nobody could be made of it who sees what should be theirs.
    """

    both: Url
    alone: Url
    tenancy: Tenancy
    identities: tuple[Identity, ...]
    rows: Mapping[Side, Mapping[ObjectId, tuple[Row, ...]]]
    shared: Mapping[ObjectId, tuple[Row, ...]]
    keys: Mapping[Side, str]
    users: Mapping[Side, tuple[str, ...]]
    canaries: Mapping[Side, frozenset[str]]
    unseeded: Mapping[ObjectId, str] = field(default_factory=dict)
    uncalibrated: Mapping[str, str] = field(default_factory=dict)
