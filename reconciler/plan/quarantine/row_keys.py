"""How a row is found again: by a key of its own, or by what else stands in it.

A key is the primary key, else a unique key over columns that must have a value, whose columns stay as they are. Where there is none
a row is known by the content of the columns that stay and by its number among its equals: exact as a multiset, also for types
that know no equality. Promises that no two rows of a table are taken for one. Reads facts only.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from reconciler.catalog.kinds import not_null
from reconciler.catalog.kinds import writing as w
from reconciler.catalog.kinds.casting import is_brought, printed
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import ident
from reconciler.shadow.rows import line

_LIST = re.compile(r'\(((?:"(?:[^"]|"")*"|[^")(])*)\)')
_ITEM = re.compile(r'\s*("(?:[^"]|"")*"|[^",\s]+)(?: WITHOUT OVERLAPS)?\s*(?:,|\Z)')
_TYPES = frozenset({"enum", "domain", "composite", "range", "table"})
CONTENT, NUMBER, EQUALS, HOME, PLACE = "row content", "row number", "row equals", "row home", "row place"
"""What columns are called that stand beside those of a table without a key, unless that has such a name itself."""


def free(base: str, taken: Collection[str]) -> str:
    """A name that none of `taken` is: always the same for the same ones."""
    while base in taken:
        base += "_"
    return base


@dataclass(frozen=True, slots=True)
class Key:
    """`columns` are those of the key; without one, `content` names the columns that stay. `partial` says that rows of one content
    may differ all the same, in a column whose values change. `taken` are the names of all columns, on both sides."""

    columns: tuple[Fact, ...]
    content: tuple[str, ...] = ()
    partial: bool = False
    taken: frozenset[str] = frozenset()

    @property
    def by_content(self) -> bool:
        return not self.columns

    def own(self, base: str) -> str:
        """A name, as SQL, for something of ours that stands beside columns of the table."""
        return ident(free(base, self.taken))

    def __str__(self) -> str:
        if self.partial:
            return "by what else stands in the row and does not change, where that tells them apart"
        if self.by_content:
            return "by what else stands in the row"
        return "by " + ", ".join(column.id.part for column in self.columns)


def own_type(type_: str) -> str:
    """The type a value is kept in: its own where PostgreSQL brought that; text for any other, which may be dropped one day."""
    return type_ if is_brought(type_) else "text"


def kept_value(column: Fact, of: str) -> str:
    """The value as it is kept; `of` is the table's name or alias before a dot, or empty."""
    name = of + ident(column.id.part)
    return printed(name) if own_type(column["type"]) == "text" != column["type"] else name


def key_of(table: ObjectId, before: Snapshot, after: Snapshot, changed: ObjectId | None = None) -> Key:
    """How the rows of `table`, as they are before, are found again afterwards; `changed` is a column whose change is known by row."""
    taken = frozenset(
        c.id.part for side in (before, after) for c in side.children.get(table, ()) if c.id.kind == "column"
    )
    staying = {
        c.id.part: c for c in before.children.get(table, ())
        if c.id.kind == "column" and _stays(c, before, after)
    }  # fmt: skip
    found: list[tuple[bool, bool, int, ObjectId, tuple[Fact, ...]]] = []
    for part in before.children.get(table, ()):
        names = _unique(part)
        columns = tuple(staying[name] for name in names if name in staying)
        if not names or len(columns) < len(names) or not all(_filled(c) for c in columns):
            continue
        lasts = part.id in after.facts
        found.append((not lasts, part["type"] != "p", len(columns), part.id, columns))
    if found:
        return Key(min(found, key=lambda one: one[:4])[4], taken=taken)
    partial = any(
        c.id.kind == "column" and c.id != changed and c.id.part not in staying and not c["generated"]
        and c.id in after.facts and not after.facts[c.id]["generated"]
        for c in before.children.get(table, ())
    )  # fmt: skip
    return Key((), tuple(sorted(staying)), partial, taken)


def _stays(column: Fact, before: Snapshot, after: Snapshot) -> bool:
    """Whether the column holds the same values on both sides, written in the same way."""
    other = after.facts.get(column.id)
    if other is None or column["generated"] or other["generated"]:
        return False
    if (column["type"], column["collation"]) != (other["type"], other["collation"]):
        return False
    types = {need for need in before.edges.get(column.id, frozenset()) if need.kind in _TYPES}
    types -= {ObjectId("table", column.id.schema, column.id.name)}
    return all(before.digests.get(need) == after.digests.get(need) for need in types)


def _filled(column: Fact) -> bool:
    """Whether every row has a value: a NOT NULL that is not valid yet does not say so."""
    return bool(column["not_null"]) and not not_null.said_later(column)


def _unique(part: Fact) -> list[str]:
    """The columns of a key or unique index; empty for everything else, and for one over expressions or some rows only."""
    text = str(part["definition"] or "")
    if part.id.kind == "constraint":
        if part["type"] not in ("p", "u"):
            return []
        start = text.find("(")
    elif part.id.kind == "index":
        start = text.find(" (")
        if (
            not text.startswith("CREATE UNIQUE INDEX ")
            or " WHERE " in text
            or part["invalid"]
            or part["incomplete"]
        ):
            return []
    else:
        return []
    inside = _LIST.match(text, text.index("(", max(start, 0)))
    if inside is None:
        return []
    names, at = [], 0
    while at < len(inside[1]):
        item = _ITEM.match(inside[1], at)
        if item is None:
            return []
        names.append(item[1][1:-1].replace('""', '"') if item[1].startswith('"') else item[1])
        at = item.end()
    return names


def shape(key: Key) -> list[str]:
    """The columns of a copy by which its rows are found."""
    if key.by_content:
        return [f"{key.own(CONTENT)} bytea not null", f"{key.own(NUMBER)} bigint not null"]
    return [f"{ident(c.id.part)} {own_type(c['type'])} not null" for c in key.columns]


def names(key: Key) -> list[str]:
    if key.by_content:
        return [free(CONTENT, key.taken), free(NUMBER, key.taken)]
    return [c.id.part for c in key.columns]


def numbered(key: Key, source: str, more: str = "") -> str:
    """Every row of `source` with its content and its number among those that are equal; `more` are further columns of it."""
    hashed = f"pg_catalog.sha256(pg_catalog.convert_to({line(key.content)}, 'UTF8'))"
    content, home, place = key.own(CONTENT), key.own(HOME), key.own(PLACE)
    size = (
        f", pg_catalog.count(*) over (partition by r.{content}) as {key.own(EQUALS)}" if key.partial else ""
    )
    return (
        f"select r.*, pg_catalog.row_number() over (partition by r.{content} order by r.{home}, r.{place}) as {key.own(NUMBER)}{size}"
        f" from (select t.tableoid as {home}, t.ctid as {place}, {hashed} as {content}{more} from {source} as t) as r"
    )


def found_again(key: Key, live: str, copy: str, kept: list[str], *, some: bool = False) -> str:
    """FROM and WHERE of an UPDATE of `live` as `t`, with the kept row of each as `k`.

    Rows of one content that may still differ are found where it does not matter which is which: as many as there were, and all
    with the same values in the columns `kept`; where only some rows were kept, where there is a single one.
    """
    if not key.by_content:
        return f" from {copy} as k where {same_row(key, 't.', 'k.')}"
    source, more = copy, ""
    content, number, equals = key.own(CONTENT), key.own(NUMBER), key.own(EQUALS)
    if key.partial:
        values = ", ".join(f"g.{ident(name)}" for name in kept)
        alike = (
            f"select g.{content}, pg_catalog.count(*) as {equals} from {copy} as g group by g.{content} having"
            f" pg_catalog.count(distinct pg_catalog.format('%s', row({values}))) = 1"
        )
        source = f"(select c.*, a.{equals} from {copy} as c join ({alike}) as a using ({content}))"
        more = f" and r.{equals} = k.{equals}" + (f" and r.{equals} = 1" if some else "")
    return (
        f" from ({numbered(key, live)}) as r join {source} as k on k.{content} = r.{content} and k.{number} = r.{number}{more}"
        f" where t.ctid = r.{key.own(PLACE)} and t.tableoid = r.{key.own(HOME)}"
    )


def same_row(key: Key, live: str, kept: str) -> str:
    """The condition that a row of the table and a kept one are the same row; both names end in a dot."""
    return " and ".join(
        f"{_plain(c, live)} = {kept}{ident(c.id.part)}" for c in key.columns
    )  # fmt: skip


def _plain(column: Fact, of: str) -> str:
    name = of + ident(column.id.part)
    return f"pg_catalog.format('%s', {name})" if own_type(column["type"]) != column["type"] else name


def where(table: ObjectId, *, only: bool) -> str:
    """The table as it stands after FROM and UPDATE."""
    return f"only {w.name(table)}" if only else w.name(table)
