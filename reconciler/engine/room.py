"""Whether there is room for a plan: what tables written anew, new indexes and kept copies will need, against what is free.

An estimate from the sizes and statistics of the live database. What is free can only be known where the server runs on this machine and
its data directory can be seen; elsewhere it is told as unknown. Reads; changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from reconciler.errors import Stalled
from reconciler.model import Fact, HazardCode, ObjectId
from reconciler.pg import Url, connect, ident
from reconciler.plan.doubts import Doubted
from reconciler.plan.doubts.text import mentions
from reconciler.plan.quarantine.copies import copy_of

Connection = psycopg.Connection[Any]
WORTH_A_WORD = 100 * 1024**2
"""Below this many bytes nobody needs to hear that the free space is not known."""

_TABLE = """
with recursive tree as (
  select pg_catalog.to_regclass(%(table)s)::oid as oid
  union all
  select i.inhrelid from pg_catalog.pg_inherits as i join tree on i.inhparent = tree.oid
)
select coalesce(pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::int8,
       coalesce(pg_catalog.sum(greatest(c.reltuples, 0)), 0)::int8,
       pg_catalog.min(pg_catalog.pg_tablespace_location(c.reltablespace))
  from tree join pg_catalog.pg_class as c on c.oid = tree.oid
"""
_WIDTHS = """
select s.attname::text, pg_catalog.max(s.avg_width)::int
  from pg_catalog.pg_stats as s
 where pg_catalog.to_regclass(%(table)s) = pg_catalog.to_regclass(pg_catalog.quote_ident(s.schemaname) || '.' || pg_catalog.quote_ident(s.tablename))
 group by 1
"""
_ENTRY = 16
"""Bytes of an index entry beside its values: a tuple header and a line pointer (manual: Database Page Layout)."""
_ROW = 28
_FILLED = 0.9
_UNKNOWN_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that something will take, beside what is there."""

    what: str
    bytes: int
    directory: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """What a plan needs, and what is free in each directory that could be seen (by its path)."""

    needs: tuple[Need, ...] = ()
    free: tuple[tuple[str, int], ...] = ()

    @property
    def needed(self) -> int:
        return sum(need.bytes for need in self.needs)

    def sentence(self) -> str:
        biggest = sorted(self.needs, key=lambda need: -need.bytes)[:3]
        parts = ", ".join(f"{need.what}: {size(need.bytes)}" for need in biggest)
        return f"this needs about {size(self.needed)} of disk beside what is there ({parts})"

    def told(self) -> tuple[str, ...]:
        """A note when it matters and nobody can say whether it fits."""
        if self.needed < WORTH_A_WORD or self.free:
            return ()
        return (f"{self.sentence()}; how much is free on the server cannot be seen from here",)


Free = Callable[[Connection], dict[str, int]]


def room(url: Url, plan: Doubted, rewritten: Collection[str], *, free: Free | None = None) -> Room:
    """`rewritten` names the tables (`schema.name`) that the rehearsal saw written anew."""
    wanted = list(_wanted(plan, rewritten))
    if not wanted:
        return Room()
    with connect(url, application_name="reconciler preflight") as live:
        needs = tuple(need for want in wanted if (need := _measured(live, *want)) is not None)
        seen = (free or free_here)(live) if sum(need.bytes for need in needs) else {}
    return Room(needs, tuple(sorted(seen.items())))


def refuse_full(found: Room) -> None:
    """Raises Stalled where what is free is known not to be enough."""
    for directory, left in found.free:
        needed = sum(need.bytes for need in found.needs if need.directory in ("", directory))
        if needed > left:
            raise Stalled(
                f"{found.sentence()}, and {directory} has {size(left)} free",
                hint="make room on the server first, or do it in smaller parts",
            )


def free_here(live: Connection) -> dict[str, int]:
    """The free bytes of the data directory, when the server is certainly on this machine; else nothing."""
    row = live.execute(
        "select case when pg_catalog.pg_has_role('pg_read_all_settings', 'usage') then"
        " pg_catalog.current_setting('data_directory', true) end, pg_catalog.pg_backend_pid(), pg_catalog.inet_server_addr() is null"
        " or pg_catalog.inet_server_addr() <<= '127.0.0.0/8' or pg_catalog.inet_server_addr() = '::1'"
    ).fetchone()
    if row is None or not row[0] or not row[2] or not _is_ours(row[1]):
        return {}
    try:
        found = os.statvfs(row[0])
    except OSError:
        return {}
    return {str(row[0]): found.f_bavail * found.f_frsize}


def _is_ours(pid: int) -> bool:
    """Whether the session's server process is one of this machine: a forwarded port leads elsewhere."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


Want = tuple[ObjectId, str, tuple[str, ...], str]
"""The table as it is called now, what is made of it, the columns in it (none: the whole), and `rewrite`, `index` or `copy`."""


def _wanted(plan: Doubted, rewritten: Collection[str]) -> Iterator[Want]:
    then = {new: old for old, new in plan.moved.items()}
    tables = {id for id in plan.before.facts if id.kind in ("table", "materialized_view")}
    anew = {f"{id.schema}.{id.name}": id for id in tables}
    anew |= {f"{new.schema}.{new.name}": old for old, new in plan.moved.items() if old in tables}
    found = {anew[name] for name in rewritten if name in anew}
    if not rewritten:
        for statement in plan.statements:
            id = None if copy_of(statement) else statement.subject
            if id is not None and any(h.code is HazardCode.REWRITES_TABLE for h in statement.hazards):
                table = ObjectId("table", id.schema, id.name)
                found |= {then.get(table, table)} & tables
    for table in sorted(found):
        yield table, f"{table} written anew", (), "rewrite"
    for change in plan.changes:
        fact = plan.after.facts.get(change.id)
        if (
            change.verb != "drop"
            and fact is not None
            and fact.parent is not None
            and _is_built(change.id, fact, plan, then)
        ):
            table = then.get(fact.parent, fact.parent)
            if table in tables and table not in found:
                yield table, f"index of {change.id}", _columns(fact, table, plan), "index"
    for copy in filter(None, map(copy_of, plan.statements)):
        table = then.get(copy.table, copy.table)
        if table not in tables:
            continue
        if copy.kind == "table":
            yield table, f"kept copy of {table}", (), "rewrite"
        elif copy.kind == "column":
            # How many of the values that become others there are nobody has counted yet.
            names = [ObjectId("column", copy.table.schema, copy.table.name, part) for part in copy.columns]
            columns = [then.get(name, name) for name in names]
            what = f"kept values of {', '.join(map(str, columns))}"
            yield table, what, tuple(column.part for column in columns), "copy"


def _is_built(id: ObjectId, fact: Fact, plan: Doubted, then: dict[ObjectId, ObjectId]) -> bool:
    old = plan.before.facts.get(then.get(id, id))
    if old is not None and old["definition"] == fact["definition"]:
        return False
    return id.kind == "index" or (id.kind == "constraint" and fact["type"] in "pux")


def _columns(fact: Fact, table: ObjectId, plan: Doubted) -> tuple[str, ...]:
    columns = (c.id.part for c in plan.before.children.get(table, ()) if c.id.kind == "column")
    return tuple(name for name in columns if mentions(fact["definition"], name))


def _measured(
    live: Connection, table: ObjectId, what: str, columns: tuple[str, ...], how: str
) -> Need | None:
    name = {"table": ident(table.schema, table.name)}
    row = live.execute(_TABLE, name).fetchone()
    if row is None or not row[0]:
        return None
    total, rows, location = int(row[0]), int(row[1]), str(row[2] or "")
    if how == "rewrite":
        return Need(what, total, location)
    widths = {str(column): int(width) for column, width in live.execute(_WIDTHS, name).fetchall()}
    each = sum(widths.get(column, _UNKNOWN_WIDTH) for column in columns)
    if how == "copy":
        return Need(what, int(rows * (each + _UNKNOWN_WIDTH + _ROW) / _FILLED))
    # A build sorts the entries on disk before it writes them.
    return Need(what, int(rows * (each + _ENTRY) / _FILLED) * 2)


def size(count: int) -> str:
    """Bytes as people say them."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
