"""The rows of a table as a plan will make them, selected from the rows as they are: new names, new types, fills, defaults.

So that a constraint that will be there can be asked of rows that are here. What nobody can know before it has run (a value drawn from a sequence)
is named and left out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.catalog.kinds.casting import text_of, using
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import ident, literal
from reconciler.plan.doubts.doubt import KEY, PLACE
from reconciler.plan.doubts.text import listed, mentions, parenthesised, unquoted

_DRAWN = re.compile(
    r"\b(nextval|random|gen_random_uuid|uuidv[47]|uuid_generate_v\w+|clock_timestamp|timeofday)\("
)
READABLE = ("table", "materialized_view")


@dataclass(frozen=True, slots=True)
class Source:
    """`sql` stands after FROM. `drawn` are the columns that will have values nobody knows yet, one for each row."""

    sql: str
    keys: tuple[str, ...]
    table: ObjectId
    drawn: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rows:
    """What a plan leads between. `then` says what an object was called that has another name afterwards (after → before); `fills` what
    rows get that have no value in a column."""

    before: Snapshot
    after: Snapshot
    then: Mapping[ObjectId, ObjectId]
    fills: Mapping[ObjectId, str]

    def was(self, id: ObjectId) -> Fact | None:
        """The object as it is now; None for a new one."""
        return self.before.facts.get(self.then.get(id, id))

    def columns(self, table: ObjectId, side: Snapshot) -> list[Fact]:
        return [c for c in side.children.get(table, ()) if c.id.kind == "column"]

    def source(self, table: ObjectId, *texts: str, only: bool = False, spare: str = "") -> Source | None:
        """The rows of `table`, with every column that one of the texts may speak of, as they will be. None when it has none
        now. `only` leaves out the rows of children; the column `spare` is left as it is."""
        here = self.was(table)
        if here is None or here.id.kind not in READABLE:
            return None
        old = here.id
        key, keys = self._key(old)
        inner = [f"{key} as {ident(KEY)}", f"b.ctid as {ident(PLACE)}"]
        if old.kind == "materialized_view":
            sql = f"(select {', '.join(inner)}, b.* from {ident(old.schema, old.name)} as b) as {ident(table.name)}"
            return Source(sql, keys, old)
        now = {self.then.get(c.id, c.id): c for c in self.columns(table, self.after)}
        taken = {c.id.part for c in now.values()}
        have: dict[str, Fact] = {}
        for column in self.columns(old, self.before):
            name = now[column.id].id.part if column.id in now else column.id.part
            if column.id in now or name not in taken:
                have[name] = column
                inner.append(f"b.{ident(column.id.part)} as {ident(name)}")
        star = "only " if only and not here["partition_by"] else ""
        sql = f"(select {', '.join(inner)} from {star}{ident(old.schema, old.name)} as b) as {ident(table.name)}"
        drawn: set[str] = set()
        computed: dict[str, str] = {}
        for column in self.columns(table, self.after):
            name = column.id.part
            if name == spare or not any(mentions(text, name) for text in texts):
                continue
            expression = self._becomes(have.get(name), column)
            if expression is None:
                drawn.add(name)
            elif expression != ident(name):
                computed[name] = expression
        if computed:
            kept = [ident(KEY), ident(PLACE), *(ident(name) for name in have if name not in computed)]
            kept += [f"{expression} as {ident(name)}" for name, expression in computed.items()]
            sql = f"(select {', '.join(kept)} from {sql}) as {ident(table.name)}"
        return Source(sql, keys, old, frozenset(drawn))

    def _key(self, table: ObjectId) -> tuple[str, tuple[str, ...]]:
        """The primary key as an array of texts, or where the row stands."""
        for part in self.before.children.get(table, ()):
            if part.id.kind == "constraint" and part["type"] == "p":
                inner, _ = parenthesised(part["definition"].removeprefix("PRIMARY KEY "))
                names = tuple(unquoted(name.removesuffix(" WITHOUT OVERLAPS")) for name in listed(inner))
                types = {c.id.part: str(c["type"]) for c in self.columns(table, self.before)}
                return f"array[{', '.join(text_of(f'b.{ident(n)}', types.get(n, '')) for n in names)}]", names
        return "array[b.ctid::text]", ("ctid",)

    def _becomes(self, old: Fact | None, new: Fact) -> str | None:
        """The expression for a column as it will be; None when only PostgreSQL will know."""
        name = ident(new.id.part)
        fill = self.fills.get(new.id)
        if new["generated"]:
            return f"({new['expression']})" if old is None or old["expression"] != new["expression"] else name
        if old is None:
            default = next(
                (p["expression"] for p in self.after.children.get(new.id, ()) if p.id.kind == "default"), None
            )
            if default is None:
                default = next((d["default"] for d in self.under(new)[1] if d["default"] is not None), None)
            if fill is not None and default is None:
                return f"({fill})"
            if new["identity"] or (default and _DRAWN.search(default)):
                return None
            return f"({default})" if default is not None else "null"
        expression = name
        if old["type"] != new["type"]:
            expression = f"({self.cast(old, new)})"
        if fill is not None:
            expression = f"coalesce({expression}, {fill})"
        if old["collation"] != new["collation"] and new["collation"]:
            expression = f"({expression} collate {new['collation']})"
        return expression

    def cast(self, old: Fact, new: Fact) -> str:
        """The USING expression, into the type under the domains: what these ask for is asked by itself."""
        type_, _ = self.under(new)
        return using(ident(new.id.part), old["type"], type_)[0]

    def under(self, column: Fact) -> tuple[str, list[Fact]]:
        """The type of a column without its domains, and these, outermost first."""
        found: list[Fact] = []
        type_, needs = column["type"], self.after.edges.get(column.id, frozenset())
        while True:
            domain = next(
                (self.after.facts[n] for n in needs if n.kind == "domain" and _named(n, type_)), None
            )
            if domain is None or domain in found:
                return type_, found
            found.append(domain)
            type_, needs = domain["type"], self.after.edges.get(domain.id, frozenset())

    def enum(self, column: Fact, side: Snapshot) -> Fact | None:
        """The enum a column is of, on one of the sides."""
        needs = side.edges.get(column.id, frozenset())
        return next((side.facts[n] for n in needs if n.kind == "enum" and _named(n, column["type"])), None)


def _named(id: ObjectId, type_: str) -> bool:
    return type_ == ident(id.schema, id.name)


def texts(values: Iterable[str]) -> str:
    """An array of texts, as SQL."""
    return f"array[{', '.join(literal(value) for value in values)}]::text[]"
