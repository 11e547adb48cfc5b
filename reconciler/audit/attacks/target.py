"""What is attacked: a table, partition, view or materialized view, as one identity finds it.

A view that PostgreSQL can write through stands for the one table beneath it: its rows are those of the table, column by column of the
same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.audit.attacks.arena import arena, inner_circle, taken_away
from reconciler.audit.scene import Kept, Scene, value
from reconciler.audit.surface import Rights
from reconciler.model import ObjectId
from reconciler.pg import ident
from reconciler.shadow.tenants.catalogue import Relation
from reconciler.shadow.tenants.values import Identity

_USER = re.compile(r"user|uid|owner|author|creat|assign|member|person|profile", re.IGNORECASE)
MOST = 3
"""How many rows of a table are tried one by one."""


@dataclass(frozen=True, slots=True)
class Target:
    """`relation` is what the attacker names, `base` the table whose rows it stands for (itself, but for a view)."""

    scene: Scene
    relation: Relation
    base: Relation
    identity: Identity
    rights: Rights

    @property
    def id(self) -> ObjectId:
        return self.relation.id

    @property
    def sql(self) -> str:
        return self.relation.sql

    @property
    def authority(self) -> bool:
        """Whether it says who belongs to what."""
        return self.base.oid in self.scene.authority

    @property
    def consulted(self) -> bool:
        """Whether policies ask it something."""
        return self.authority or self.base.oid in self.scene.consulted

    @property
    def deciding(self) -> tuple[str, ...]:
        """The columns that say whose a row is."""
        return self.scene.owner_of(self.base).columns

    def possible(self, command: str) -> bool:
        """Whether the identity has the privilege, and there is anything to send the command to: a view may take none."""
        view = self.scene.surface.views.get(self.relation.oid)
        return self.rights.may(command) and (view is None or command in view.takes)

    def foreign(self) -> list[Kept]:
        """A few of B's rows."""
        return self.scene.rows(self.base, "B")[:MOST]

    def own(self) -> list[Kept]:
        """A few of A's rows (of a table that belongs to nobody, of those), the attacker's own first; where rows say who belongs to
        what, last."""
        mine = [
            (self._names_attacker(row), row)
            for row in self.scene.rows(self.base, "A") or self.scene.rows(self.base, "")
        ]
        return [row for _, row in sorted(mine, key=lambda found: found[0] == self.authority)][:MOST]

    def beneath(self, name: str) -> str:
        """The column of the table beneath that a column stands for; empty for none, as where a view calculates it."""
        if self.relation.oid == self.base.oid:
            return name
        views, oid, found = self.scene.surface.views, self.relation.oid, name
        while oid in views:
            oid, found = views[oid].columns.get(found, (-1, ""))
        if oid == 0 and self.base.column(name) is not None:  # a trigger takes it: for what it is called
            return name
        return found if oid == self.base.oid else ""

    def writable(self, granted: Sequence[str]) -> list[str]:
        """Those of the columns that can be given a value, both here and in the table beneath."""
        return [name for name in self._passing(granted) if not self._generated(name)]

    def _passing(self, granted: Sequence[str]) -> list[str]:
        """Those of the columns that stand for one of the table beneath."""
        return [c.name for c in self.relation.columns if c.name in granted and self.beneath(c.name)]

    def resettable(self) -> list[str]:
        """The columns that the identity may set to their default and to nothing else: generated ones, and identities that are always so."""
        return [name for name in self._passing(self.rights.update) if self._fixed(name)]

    def _generated(self, name: str) -> bool:
        column = self.base.column(self.beneath(name))
        return column is not None and column.generated

    def _fixed(self, name: str) -> bool:
        """Whether PostgreSQL gives the column its value, whatever anybody says."""
        return self._generated(name) or (self.base.oid, self.beneath(name)) in self.scene.surface.always

    def changeable(self) -> list[str]:
        """The columns that the identity may set by UPDATE, the harmless ones first."""
        return [name for name in self.plain(self.rights.update) if not self._fixed(name)]

    def needed(self, columns: Sequence[str]) -> list[str]:
        """Those of the columns that a row cannot do without, or that say whose it is: the rest fill themselves or stay empty."""
        filled = self.scene.surface.filled
        must = {c.name for c in self.base.columns if c.not_null and (self.base.oid, c.name) not in filled}
        return [name for name in columns if self.beneath(name) in must or self.beneath(name) in self.deciding]

    def plain(self, granted: Sequence[str]) -> list[str]:
        """The same, the harmless ones first: no key, nothing that decides whose the row is, text before the rest."""
        keys = {name for columns in self.base.unique for name in columns}
        keys |= {name for key in self.base.keys for name in key.columns}
        types = {column.name: column.type for column in self.base.columns}

        def harm(called: str) -> tuple[bool, bool, bool]:
            name = self.beneath(called)
            return (name in self.deciding, name in keys, types[name] not in ("text", "character varying"))

        return sorted(self.writable(granted), key=harm)

    def swapped(self, row: Kept) -> list[tuple[str, Mapping[str, str | None]]]:
        """The row as it is, and with the attacker where it names people of B: what a policy may check instead of the tenant."""
        people, theirs = self.scene.people(self.identity), set(self.scene.world.users["B"])
        found: list[tuple[str, Mapping[str, str | None]]] = [("", row.values)]
        named = {name for name in self.naming_people() if row.values[name] in theirs}
        if people and named:
            found.append((" in the attacker's own name", {**row.values, **dict.fromkeys(named, people[0])}))
        return found

    def room_for(self, row: Kept, values: Mapping[str, str | None]) -> tuple[str, ...]:
        """What the harness prepares for an INSERT of `values` in the place of this row of B: it is taken away. Not where the row would
        found a tenant and names nobody of B: anybody may found one, and B's own is there."""
        named = {values.get(name) for name in self.naming_people()}
        founds = self.scene.owner_of(self.base).ownership == "root"
        if founds and named.isdisjoint(self.scene.world.users["B"]):
            return ()
        return (taken_away(self.base, [row]),)

    def naming_people(self) -> set[str]:
        """The columns that name a user: by a key to the table of users, or by what they are called."""
        users = self.scene.world.tenancy.users
        linked = {
            key.columns[0]
            for key in self.base.keys
            if key.target in self.scene.catalogue.relations
            and self.scene.relation(key.target).id == users
            and len(key.columns) == 1
        }
        if self.scene.owner_of(self.base).ownership == "user":
            linked |= set(self.deciding)
        return linked | {c.name for c in self.base.columns if _USER.search(c.name) and not c.generated}

    def mine(self) -> list[Kept]:
        """The row of A that names the attacker, or else one that is A's."""
        rows = self.scene.rows(self.base, "A")
        return sorted(rows, key=lambda row: not self._names_attacker(row))[:1]

    def _names_attacker(self, row: Kept) -> bool:
        """Whether it is about the attacker. By column: tenants and users may have the same keys."""
        names = self.naming_people()
        if self.base.id == self.scene.world.tenancy.users:
            names |= set(self.base.primary)
        return not {row.values.get(name) for name in names}.isdisjoint(self.scene.people(self.identity))

    def arenas(self, rows: Sequence[Kept], *, going: bool = False) -> list[tuple[str, ...]]:
        """What the harness prepares for an attack without WHERE upon these rows, which are to go (`going`) or to change. Where policies
        consult the table itself, also with A's own rows in it."""
        if self.authority:
            return [inner_circle(self.scene, self.base, rows, self.mine(), unbound=going)]
        found = [arena(self.scene, self.base, rows)]
        if self.consulted:
            found.append(inner_circle(self.scene, self.base, rows, self.mine(), unbound=going))
        return found

    def values(self, columns: Sequence[str], of: Mapping[str, str | None]) -> str:
        """What a row of the table beneath has in these columns."""
        return ", ".join(value(self.base, self.beneath(name), of) for name in columns)

    def insertion(self, columns: Sequence[str], of: Mapping[str, str | None]) -> str:
        """An INSERT of this row in these columns."""
        if not columns:
            return f"insert into {self.sql} default values"
        names = ", ".join(ident(name) for name in columns)
        return f"insert into {self.sql} ({names}) overriding system value values ({self.values(columns, of)})"

    def assignments(self, columns: Sequence[str], of: Mapping[str, str | None]) -> str:
        return ", ".join(
            f"{ident(name)} = {'default' if self._fixed(name) else self.values([name], of)}"
            for name in columns
        )
