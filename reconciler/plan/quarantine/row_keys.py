"""How a row is found again: by a key of its own, or by what else stands in it.

A key is the primary key, else a unique key over columns that must have a value, whose columns stay as they are. Where there is none
a row is known by the content of the columns that stay and by its number among its equals: exact as a multiset, also for types
that know no equality. Promises that no two rows of a table are taken for one. Reads facts only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.catalog.kinds import not_null
from reconciler.catalog.kinds import writing as w
from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import ident
from reconciler.shadow.rows import line

_LIST = re.compile(r'\(((?:"(?:[^"]|"")*"|[^")(])*)\)')
_ITEM = re.compile(r'\s*("(?:[^"]|"")*"|[^",\s]+)(?: WITHOUT OVERLAPS)?\s*(?:,|\Z)')
_TYPES = frozenset({"enum", "domain", "composite", "range", "table"})
CONTENT, NUMBER = "row content", "row number"
"""What the columns of a copy are called that has no key. Nobody writes such names by hand."""


@dataclass(frozen=True, slots=True)
class Key:
    """`columns` are those of the key; without one, `content` names the columns that stay."""

    columns: tuple[Fact, ...]
    content: tuple[str, ...] = ()

    @property
    def by_content(self) -> bool:
        return not self.columns

    def __str__(self) -> str:
        if self.by_content:
            return "by what else stands in the row"
        return "by " + ", ".join(column.id.part for column in self.columns)


def own_type(type_: str) -> str:
    """The type a value is kept in: its own where PostgreSQL brought that; text for any other, which may be dropped one day."""
    return "text" if "." in type_ else type_


def kept_value(column: Fact, of: str) -> str:
    """The value as it is kept; `of` is the table's name or alias before a dot, or empty."""
    name = of + ident(column.id.part)
    return printed(name) if own_type(column["type"]) == "text" != column["type"] else name


def printed(value: str) -> str:
    """What the type's own output function prints; a cast to text may be somebody's. NULL stays NULL."""
    return f"case when pg_catalog.num_nulls({value}) = 0 then pg_catalog.format('%s', {value}) end"


def key_of(table: ObjectId, before: Snapshot, after: Snapshot) -> Key:
    """How the rows of `table`, as they are before, are found again afterwards."""
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
        return Key(min(found, key=lambda one: one[:4])[4])
    return Key((), tuple(sorted(staying)))


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
        return [f"{ident(CONTENT)} bytea not null", f"{ident(NUMBER)} bigint not null"]
    return [f"{ident(c.id.part)} {own_type(c['type'])} not null" for c in key.columns]


def names(key: Key) -> list[str]:
    return [CONTENT, NUMBER] if key.by_content else [c.id.part for c in key.columns]


def numbered(key: Key, source: str, more: str = "") -> str:
    """Every row of `source` with its content and its number among those that are equal; `more` are further columns of it."""
    hashed = f"pg_catalog.sha256(pg_catalog.convert_to({line(key.content)}, 'UTF8'))"
    return (
        "select r.*, pg_catalog.row_number() over (partition by r.content order by r.home, r.place) as number from (select"
        f" t.tableoid as home, t.ctid as place, {hashed} as content{more} from {source} as t) as r"
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
