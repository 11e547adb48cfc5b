"""Tables with their columns, and sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from grammar.code import Routine, called
from grammar.thing import BARE, Dress, Expr, Hand, Made, Named, Thing
from grammar.types import BUILT_IN, COLLATIONS, TEXTUAL, drawn_default, drawn_type, inside, needed
from reconciler.pg import ident, literal

COLUMNS = ("id", "a", "b", "c", "d", "Mixed Case", "ünï·cödé", "select")
TABLES = ("t", "u", "w", "item", "orders")
WHOLE = ("integer", "bigint", "smallint")
RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")


@dataclass(frozen=True)
class SequenceOf(Named):
    dress: Dress = BARE
    type: str = "bigint"
    options: str = ""
    unlogged: bool = False
    rank: ClassVar[int] = 5

    def gives(self, made: Made) -> set[str]:
        return {f"sequence {self.full}"}

    def sql(self, made: Made) -> list[str]:
        kind = "unlogged sequence" if self.unlogged else "sequence"
        return [
            f"create {kind} {self.full} as {self.type} {self.options}",
            *self.dress.sql("sequence", self.full),
        ]


@dataclass(frozen=True)
class Column:
    """`how` is "" for an ordinary column, `identity …`, `stored` or `virtual`; `value` its default or its expression."""

    name: str
    type: str = "integer"
    collation: Expr | None = None
    not_null: str = ""
    how: str = ""
    value: Expr | None = None
    settings: tuple[str, ...] = ()
    comment: str = ""
    grants: tuple[tuple[str, str], ...] = ()

    def sql(self, made: Made) -> str:
        parts = [ident(self.name), self.type]
        if self.collation and self.type in TEXTUAL and self.collation.stands(made):
            parts.append(f"collate {self.collation.text}")
        if self.how.startswith("identity") and self.type in WHOLE:
            parts.append(self.how.removeprefix("identity "))
        elif self.value and self.how in ("stored", "virtual"):
            if self.value.stands(made):
                parts.append(f"generated always as ({self.value.text}) {self.how}")
        elif self.value and not self.how and self.value.stands(made):
            parts.append(f"default {self.value.text}")
        if self.not_null:
            parts.append(self.not_null)
        return " ".join(parts)


@dataclass(frozen=True)
class Table(Named):
    """`partition` is (parent, bound); `inherits` and the parent are full names of tables before this one."""

    dress: Dress = BARE
    columns: tuple[Column, ...] = ()
    unlogged: bool = False
    options: tuple[str, ...] = ()
    inherits: str = ""
    partitioned: tuple[str, str] | None = None
    partition: tuple[str, str] | None = None
    attached: bool = False
    of: str = ""
    row_security: tuple[str, ...] = ()
    rank: ClassVar[int] = 10
    shape: tuple[Column, ...] = field(default=(), compare=False)

    def needs(self) -> set[str]:
        found = super().needs()
        if self.inherits:
            found.add(f"relation {self.inherits}")
        if self.partition:
            found.add(f"partitioned {self.partition[0]}")
        return found

    def standing(self, made: Made) -> list[Column]:
        """Its own columns that can be written: not those whose type is missing, nor those it inherits."""
        return [
            column
            for column in self.columns
            if all(name in made for name in needed(column.type))
            and not (self.inherits and f"column {self.inherits}.{column.name}" in made)
        ]

    def gives(self, made: Made) -> set[str]:
        found = {f"relation {self.full}", f"table {self.full}"}
        if self.partitioned and self._by(made):
            found.add(f"partitioned {self.full}")
        found.update(f"column {self.full}.{column.name}" for column in self.standing(made))
        above = self.partition[0] if self.partition else self.inherits
        if above:
            mark = f"column {above}."
            found.update(f"column {self.full}.{name[len(mark) :]}" for name in made if name.startswith(mark))
        return found

    def _by(self, made: Made) -> str:
        if self.partitioned is None:
            return ""
        names = {column.name for column in self.standing(made)}
        return f"{self.partitioned[0]} ({ident(self.partitioned[1])})" if self.partitioned[1] in names else ""

    def sql(self, made: Made) -> list[str]:
        by = self._by(made)
        unlogged = "unlogged " if self.unlogged and not by else ""
        tail = f" partition by {by}" if by else ""
        if self.options and not by:
            tail += f" with ({', '.join(self.options)})"
        if self.partition and not self.attached:
            parent, bound = self.partition
            found = [f"create {unlogged}table {self.full} partition of {parent} {bound}{tail}"]
        elif self.partition:
            parent, bound = self.partition
            # One statement: a copy that cannot be attached is not to stay.
            copied = f"create {unlogged}table {self.full} (like {parent} including defaults including generated){tail}"
            found = [f"{copied}; alter table {parent} attach partition {self.full} {bound}"]
        else:
            columns = self.standing(made)
            inner = ", ".join(column.sql(made) for column in columns)
            inherits = f" inherits ({self.inherits})" if self.inherits and not by else ""
            found = [f"create {unlogged}table {self.full} ({inner}){inherits}{tail}"]
            found += self._columns(columns)
        found += [f"alter table {self.full} {words}" for words in self.row_security]
        return found + self.dress.sql("table", self.full)

    def _columns(self, columns: list[Column]) -> list[str]:
        found = []
        for column in columns:
            name = ident(column.name)
            found += [f"alter table {self.full} alter column {name} {setting}" for setting in column.settings]
            if column.comment:
                found.append(f"comment on column {self.full}.{name} is {literal(column.comment)}")
            found += [
                f"grant {right} ({name}) on table {self.full} to {role}" for right, role in column.grants
            ]
        return found


def sequence(hand: Hand, world: Sequence[Thing]) -> SequenceOf:
    options = hand.some(
        ("increment by 2", "minvalue 0", "maxvalue 1000", "start with 5", "cache 3", "cycle"), 0, 3
    )
    return SequenceOf(
        inside(hand, world), hand.name(("counter", "numbers", "t_id_seq")),
        hand.dress(("usage", "select", "update")), hand.one(("bigint", "integer", "smallint")),
        " ".join(options), hand.major >= 15 and hand.chance(8),
    )  # fmt: skip


def column(hand: Hand, world: Sequence[Thing], name: str, others: Sequence[Column]) -> Column:
    type = drawn_type(hand, world)
    collation = None
    if type in TEXTUAL and hand.chance(4):
        own = [t.full for t in world if type_name(t) == "Collation"]
        collation = Expr('"C"')
        if own and hand.chance(2):
            collation = Expr(own[0], (f"collation {own[0]}",))
    how, value = "", None
    if type in WHOLE and hand.chance(5):
        kind = hand.one(("always", "by default"))
        options = hand.one(("", "", "(start with 10)", "(increment by 5 cache 2)", "(maxvalue 30000 cycle)"))
        how = f"identity generated {kind} as identity {options}"
    elif others and hand.chance(10):
        base = hand.one([c for c in others if c.how not in ("stored", "virtual")] or [None])
        if base is not None:
            how = "virtual" if hand.major >= 18 and hand.chance(2) else "stored"
            type, value = base.type, _computed(hand, base)
    elif hand.chance(3):
        value = _default(hand, world, type)
    settings = []
    if hand.chance(10):
        settings.append(hand.one(("set statistics 50", "set statistics 0", "set (n_distinct = 5)")))
    if type in ("text", "jsonb", "bytea", "text[]") and hand.chance(6):
        settings.append(f"set storage {hand.one(('external', 'main', 'plain'))}")
        if hand.chance(2):
            settings.append("set compression pglz")
    not_null = hand.maybe(5, "not null", "")
    if not_null and hand.major >= 18 and hand.chance(4):
        not_null = f"constraint {ident(hand.name(('nn', 'filled')))} not null"
    grants = hand.some(
        [(r, w) for r in ("select", "update", "references") for w in ("pairs_reader", "public")], 1, 2
    )
    return Column(
        name, type, collation, not_null, how, value, tuple(settings), hand.maybe(8, "of a column", ""),
        grants if hand.chance(8) else (),
    )  # fmt: skip


def type_name(thing: Thing) -> str:
    return type(thing).__name__


def _computed(hand: Hand, base: Column) -> Expr:
    name = ident(base.name)
    if base.type in WHOLE:
        return Expr(hand.one((f"{name} * 2", f"{name} + 1")))
    if base.type == "text":
        return Expr(hand.one((f"lower({name})", f"{name} || 'x'")))
    return Expr(f"coalesce({name}, {name})")


def _default(hand: Hand, world: Sequence[Thing], type: str) -> Expr | None:
    sequences = [t for t in world if isinstance(t, SequenceOf)]
    if type in WHOLE and sequences and hand.chance(3):
        chosen = hand.one(sequences)
        return Expr(f"nextval({literal(chosen.full)}::regclass)", (f"sequence {chosen.full}",))
    call = called(hand, [t for t in world if isinstance(t, Routine)], type) if hand.chance(2) else None
    return call or drawn_default(hand, world, type)


def table(hand: Hand, world: Sequence[Thing]) -> Table:
    schema, name = inside(hand, world), hand.name(TABLES)
    tables = [t for t in world if isinstance(t, Table)]
    dress = hand.dress(RIGHTS)
    security: tuple[str, ...] = ()
    if hand.chance(3):
        security = ("enable row level security", *(("force row level security",) if hand.chance(2) else ()))
    if hand.chance(8):
        security = (*security, hand.one(("replica identity full", "replica identity nothing")))
    open_parents = [t for t in tables if t.partitioned]
    options = hand.some(
        ("fillfactor = 70", "autovacuum_enabled = false", "toast.autovacuum_enabled = false"), 1, 2
    )
    options = options if hand.chance(8) else ()
    if open_parents and hand.chance(2):
        parent = hand.one(open_parents)
        return Table(
            schema, hand.name(("part_1", "part_2", "part_3")), dress, parent.columns, hand.chance(10), options,
            partition=(parent.full, bound(hand, parent)), attached=hand.chance(2), row_security=security,
        )  # fmt: skip
    columns: list[Column] = []
    for chosen in dict.fromkeys(("id", *hand.some(COLUMNS[1:], 1, 5))):
        columns.append(column(hand, world, chosen, columns))
    if hand.chance(4):
        columns[0] = Column("id", "integer", not_null="not null")
    partitioned = None
    inherits = ""
    if hand.chance(6):
        keys = [c.name for c in columns if c.type in ("integer", "text", "date", "bigint") and not c.how]
        if keys:
            partitioned = (hand.one(("list", "range", "hash")), hand.one(keys))
    elif tables and hand.chance(8):
        plain = [t.full for t in tables if not t.partitioned and not t.partition]
        inherits = hand.one(plain) if plain else ""
    return Table(
        schema, name, dress, tuple(columns), hand.chance(10), options, inherits, partitioned, row_security=security
    )  # fmt: skip


def bound(hand: Hand, parent: Table) -> str:
    """A bound for a new partition, which may overlap another one: then PostgreSQL refuses it, and it is left out."""
    assert parent.partitioned
    way, key = parent.partitioned
    # A key whose column is gone leaves a table that PostgreSQL refuses, and its partitions with it.
    type = next((c.type for c in parent.columns if c.name == key), "integer")
    number = hand.number(1, 3)
    if way == "hash":
        return f"for values with (modulus 3, remainder {number - 1})"
    if hand.chance(4):
        return "default"
    values = {
        "text": ("'a'", "'h'", "'p'", "'z'"),
        "date": ("'2020-01-01'", "'2021-01-01'", "'2022-01-01'", "'2023-01-01'"),
    }
    points = values.get(type, ("0", "10", "20", "30"))
    if way == "list":
        return f"for values in ({points[number]})"
    return f"for values from ({points[number - 1]}) to ({points[number]})"


__all__ = ["BUILT_IN", "COLLATIONS", "Column", "SequenceOf", "Table", "column", "sequence", "table"]
