"""What a table that stays loses in one direction: columns with values of their own, and how its rows are found again.

One value for each table whose rows are looked at by themselves: a partitioned table stands for its partitions, a child that
inherits is looked at alone. Reads facts only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import printed
from reconciler.catalog.kinds.partition import tree
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import ident, literal
from reconciler.plan.quarantine.registry import SCHEMA
from reconciler.plan.quarantine.row_keys import Key, kept_value, key_of, own_type
from reconciler.plan.quarantine.way import Way

_STEM = 46
"""Bytes of a name that are left when the tag and a number are put behind it."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A column of the copy: its name and type there, and the SQL of its value in a row of the table `t`."""

    name: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Loss:
    """`columns` go or change; `computed` are those in whose place one comes that is computed. `key` finds the rows, `picks` are what
    is kept of each that meets `condition` (SQL over the row `t`; empty: of all). `there` is the SQL that says that nothing is lost
    yet. `tag` is the same for the direction that loses and the one that gets back; `name` is what the copy is called."""

    kind: Literal["column", "values"]
    table: ObjectId
    columns: tuple[Fact, ...]
    key: Key
    picks: tuple[Pick, ...]
    there: str
    only: bool
    tag: str
    name: str
    computed: frozenset[ObjectId] = frozenset()
    condition: str = ""

    @property
    def copy(self) -> str:
        return f"{SCHEMA}.{ident(self.name)}"

    @property
    def live(self) -> str:
        """The table as it stands after FROM and UPDATE."""
        return f"only {w.name(self.table)}" if self.only else w.name(self.table)


def dropped_columns(way: Way) -> list[Loss]:
    """What `way` takes away."""
    return list(_losses(way.before, way.after, way))


def regained_columns(way: Way) -> list[Loss]:
    """What the opposite direction takes away, and this one gives back."""
    return list(_losses(way.after, way.before, way))


def _losses(full: Snapshot, short: Snapshot, way: Way) -> Iterator[Loss]:
    columns: dict[ObjectId, list[Fact]] = {}
    for column in full.by_kind.get("column", ()):
        table = column.parent
        if table is None or table.kind != "table" or column["generated"] or table not in short.facts:
            continue
        other = short.facts.get(column.id)
        if other is None or other["generated"]:
            columns.setdefault(table, []).append(column)
    for table, lost in sorted(columns.items()):
        if stands_for(table, full, short) != table:
            continue
        lost.sort(key=lambda c: (c.position, c.id))
        # What one direction takes from a table is not what the other takes from it.
        tag = way.tag(ObjectId("column", table.schema, table.name, ",".join(c.id.part for c in lost)))
        yield Loss(
            "column",
            table,
            tuple(lost),
            key_of(table, full, short),
            tuple(Pick(c.id.part, own_type(c["type"]), kept_value(c, "t.")) for c in lost),
            _all_there(table, lost),
            not full.facts[table]["partition_by"],
            tag,
            named(table.name, tag),
            computed=frozenset(c.id for c in lost if c.id in short.facts),
        )


def _all_there(table: ObjectId, columns: list[Fact]) -> str:
    names = ", ".join(literal(c.id.part) for c in columns)
    return (
        "(select pg_catalog.count(*) from pg_catalog.pg_attribute as a where a.attrelid ="
        f" pg_catalog.to_regclass({literal(w.name(table))}) and a.attname in ({names}) and a.attgenerated = '') = {len(columns)}"
    )


def named(name: str, tag: str) -> str:
    """What a copy of something of that name is called: at most 63 bytes with a number behind it."""
    stem = name.encode()[:_STEM].decode(errors="ignore")
    return f"{stem}_{tag[:8]}"


def stands_for(table: ObjectId, one: Snapshot, other: Snapshot) -> ObjectId:
    """The table through which the rows of this one are read and written: the topmost of a partitioned one that has the same
    partitions on both sides and holds all its rows here; else itself."""
    top = table
    while True:
        above = _above(top, one)
        if above is None or above != _above(top, other):
            break
        top = above
    if top != table and (
        tree(one, top) != tree(other, top) or any(_is_foreign(t, one) for t in tree(one, top))
    ):
        return table
    return top


def _above(table: ObjectId, side: Snapshot) -> ObjectId | None:
    needs = side.edges.get(ObjectId("partition", table.schema, table.name), frozenset())
    found = [n for n in needs if n.kind == "table" and (n.schema, n.name) != (table.schema, table.name)]
    return found[0] if found else None


def _is_foreign(table: ObjectId, side: Snapshot) -> bool:
    return ObjectId("foreign_table", table.schema, table.name) in side.facts


AFTERWARDS = "value afterwards"
"""What the last column of a copy is called, the one that says what a changed value reads when the change is undone, unless the table
has such a name itself."""


def still_changed(loss: Loss, live: str, kept: str) -> str:
    """The condition that a row has what its value had become; both names end in a dot."""
    (column,) = loss.columns
    return f"{printed(live + ident(column.id.part))} is not distinct from {kept}{ident(loss.picks[-1].name)}"


def was(loss: Loss, kept: str) -> str:
    """The value that was kept, as a value of the column."""
    (column,) = loss.columns
    cast = f"::{column['type']}" if own_type(column["type"]) != column["type"] else ""
    return kept + ident(column.id.part) + cast
