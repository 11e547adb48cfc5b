"""The rows of a database, reduced to values that can be compared before and after.

Promises that two equal answers mean the same rows, in any physical order of rows and columns, in the columns that were
asked for, whatever the settings of the session. Reads every row it is asked for, and keeps none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.kinds.partition import tree
from reconciler.model import ObjectId, Snapshot
from reconciler.pg import ident, literal

Connection = psycopg.Connection[TupleRow]
Rows = Mapping[ObjectId, tuple[int, str]]
"""table → (number of rows, hash over them)."""


def common_columns(
    before: Snapshot, after: Snapshot, moved: Mapping[ObjectId, ObjectId] | None = None
) -> dict[ObjectId, tuple[str, ...]]:
    """The columns of each table that exist on both sides with the same type, and are not computed, as `before` calls them where
    `moved` says that `after` calls them differently."""
    called = moved or {}
    found: dict[ObjectId, list[str]] = {}
    moving = _moving(before, after)
    unsteady = _unsteady(before, after, called)
    for id, fact in sorted(before.facts.items()):
        other = after.facts.get(called.get(id, id))
        if id.kind != "column" or other is None or fact.parent is None or fact.parent.kind != "table":
            continue
        if (
            fact.parent in moving
            or other.parent is None
            or other.parent.kind != "table"
            or fact["generated"]
            or other["generated"]
        ):
            continue
        if fact["type"] == other["type"] and not before.edges.get(id, frozenset()) & unsteady:
            found.setdefault(fact.parent, []).append(id.part)
    return {table: tuple(columns) for table, columns in found.items()}


def _unsteady(before: Snapshot, after: Snapshot, called: Mapping[ObjectId, ObjectId]) -> set[ObjectId]:
    """Types whose values are written otherwise afterwards: enums that lose one, row types with other members. A value that is
    only called differently is not lost: the DOWN gives it its name back."""
    found: set[ObjectId] = set()
    for fact in before.by_kind.get("enum", ()):
        other = after.facts.get(called.get(fact.id, fact.id))
        values = [ObjectId("enum_value", *fact.id[1:3], value) for value in fact["values"]]
        if other is not None and {called.get(value, value).part for value in values} - set(other["values"]):
            found.add(fact.id)
    for fact in before.by_kind.get("composite", ()):
        other = after.facts.get(called.get(fact.id, fact.id))
        if other is not None and fact["members"] != other["members"]:
            found.add(fact.id)
    for fact in before.by_kind.get("table", ()):
        had, has = (
            [(c.id.part, c["type"]) for c in side.children.get(id, ()) if c.id.kind == "column"]
            for side, id in ((before, fact.id), (after, called.get(fact.id, fact.id)))
        )
        if sorted(had) != sorted(has):
            found.add(fact.id)
    return found


def _moving(before: Snapshot, after: Snapshot) -> set[ObjectId]:
    """Tables whose rows are seen elsewhere. Of a table that is partitioned differently these are the partitions: their rows
    find another place, and are seen from the top. One that gets or loses a partition gets or loses its rows with it:
    these are seen in the partitions that stay.
    """
    found: set[ObjectId] = set()
    for fact in before.by_kind.get("table", ()):
        id, other = fact.id, after.facts.get(fact.id)
        if other is None or not (fact["partition_by"] or other["partition_by"]):
            continue
        had, has = tree(before, id), tree(after, id)
        if fact["partition_by"] != other["partition_by"]:
            found |= (had | has) - {id}
            if (has - had) & before.facts.keys():
                found.add(id)
        elif had != has:
            found.add(id)
    return found


def stored_columns(side: Snapshot) -> dict[ObjectId, tuple[str, ...]]:
    """All columns of each table that hold a value of their own."""
    return common_columns(side, side)


def kept_columns(
    before: Snapshot, after: Snapshot, moved: Mapping[ObjectId, ObjectId] | None = None
) -> dict[ObjectId, tuple[str, ...]]:
    """What a plan that keeps what it drops has to give back: besides `common_columns` those of tables that go, and columns that
    go by themselves."""
    called = moved or {}
    found = dict(common_columns(before, after, called))
    moving = _moving(before, after)
    for table, columns in stored_columns(before).items():
        now = called.get(table, table)
        if now in after.facts and (table in moving or after.facts[now]["partition_by"]):
            continue
        ids = {name: ObjectId("column", table.schema, table.name, name) for name in columns}
        gone = tuple(name for name, id in ids.items() if called.get(id, id) not in after.facts)
        found[table] = (*found.get(table, ()), *gone)
    return {table: columns for table, columns in found.items() if columns}


def hashed(
    connection: Connection, columns: Mapping[ObjectId, Sequence[str]]
) -> dict[ObjectId, tuple[int, str]]:
    """Number and hash of the rows of each table, over the given columns, in the order of their names.

    A partitioned table is read through its partitions; another one without the tables that inherit from it, which are asked
    for by themselves. Foreign tables, what has one among its partitions, and what does not exist are left out. The server adds up one hash per row, so that
    nothing but sums is kept in memory, however large the table.
    """
    found = {}
    with plain_text(connection):
        kinds = _kinds(connection, columns)
        for table, names in sorted(columns.items()):
            kind = kinds.get((table.schema, table.name))
            if kind not in ("r", "p"):
                continue
            name = ident(table.schema, table.name)
            source = name if kind == "p" else f"only {name}"
            answer = connection.execute(
                f"select count(*), {_sums} from (select pg_catalog.sha256(pg_catalog.convert_to({line(names)}, 'UTF8'))"
                f" as h from {source} as t) as hashes"
            ).fetchone()
            if answer is not None:
                found[table] = (int(answer[0]), ":".join(str(part) for part in answer[1:]))
    return found


_PARTS = 4
_sums = ", ".join(
    f"coalesce(sum(('x' || pg_catalog.encode(pg_catalog.substring(h, {1 + 8 * part}, 8), 'hex'))::bit(64)::bigint::numeric),"
    " 0)"
    for part in range(_PARTS)
)
"""The sum of the hashes, as four numbers of 64 bits: the same in any order, and a row twice is not the row once."""


def line(names: Sequence[str]) -> str:
    """The row as one text from which each value can be read back: its length, a colon, the value; `n` for NULL.

    The length comes first, so that no value can look like the end of another, or like NULL.
    """
    if not names:
        return "''"
    values = []
    for name in sorted(names):
        # format() asks the type's own output function; a cast to text may be somebody's, and lossy. num_nulls() and not
        # IS NULL, which is also true of a composite value whose fields are all NULL.
        text = f"pg_catalog.format('%s', t.{ident(name)})"
        values.append(
            f"case when pg_catalog.num_nulls(t.{ident(name)}) = 1 then 'n' else pg_catalog.length({text}) || ':' || {text} end"
        )
    return " || ',' || ".join(values)


def _kinds(connection: Connection, columns: Mapping[ObjectId, Sequence[str]]) -> dict[tuple[str, str], str]:
    rows = connection.execute(
        "select n.nspname::text, c.relname::text, case when c.relkind = 'p' and exists (select from"
        " pg_catalog.pg_partition_tree(c.oid) as t join pg_catalog.pg_class as leaf on leaf.oid = t.relid where leaf.relkind = 'f')"
        " then 'f' else c.relkind::text end from pg_catalog.pg_class as c join"
        " pg_catalog.pg_namespace as n on n.oid = c.relnamespace where n.nspname = any(%s) order by 1, 2",
        (sorted({table.schema for table in columns}),),
    ).fetchall()
    return {(schema, name): kind for schema, name, kind in rows}


_SETTINGS = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmloption": "content",
    "search_path": "",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "row_security": "off",
}
"""What the text of a value depends on (manual: Client Connection Defaults). `row_security` off: an error instead of fewer rows."""


@contextmanager
def plain_text(connection: Connection) -> Iterator[None]:
    """These settings meanwhile, put back by hand: inside somebody's transaction SET LOCAL outlives a savepoint."""
    with connection.transaction():
        names = list(_SETTINGS)
        asked = ", ".join(f"pg_catalog.current_setting({literal(name)})" for name in names)
        before = connection.execute(f"select {asked}").fetchone() or ()
        _set(connection, dict(_SETTINGS))
        yield
        _set(connection, dict(zip(names, before, strict=True)))


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    calls = (f"pg_catalog.set_config({literal(k)}, {literal(v)}, true)" for k, v in settings.items())
    connection.execute(f"select {', '.join(calls)}")


def lost(before: Rows, after: Rows) -> tuple[str, ...]:
    """In sentences, the tables whose rows are not the same."""
    found = []
    for table, (count, digest) in sorted(before.items()):
        now = after.get(table)
        if now is None:
            found.append(f"table {table} with {count} rows is gone")
        elif now[0] != count:
            found.append(f"table {table} had {count} rows, now {now[0]}")
        elif now[1] != digest:
            found.append(f"the {count} rows of table {table} are not the same any more")
    return tuple(found)
