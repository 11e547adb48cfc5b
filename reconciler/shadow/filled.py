"""A scratch database that holds a part of the target's rows, made up: in every table that a plan touches its share of what is there.

Knows which tables a plan touches. Promises rows under every constraint, statistics and hint bits as after a vacuum, and rows about as
wide as the target's where a text can be made longer; what could not be had is said in sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import Measured, ObjectId, Size, Snapshot
from reconciler.pg import Url, connect, ident
from reconciler.shadow import seed_tables
from reconciler.shadow.multiply import multiply, unique
from reconciler.shadow.scratch import Shadow
from reconciler.shadow.seed import seed, without_triggers


def touched_tables(before: Snapshot, measured: Iterable[Measured]) -> set[ObjectId]:
    """The tables and materialized views of the state before that a statement locks, rewrites or reads, and what those views read."""
    named = {
        name
        for one in measured
        for name in (*(lock.relation for lock in one.locks), *one.rewrites, *one.scans)
    }
    found = {
        fact.id
        for kind in ("table", "materialized_view")
        for fact in before.by_kind.get(kind, ())
        if f"{fact.id.schema}.{fact.id.name}" in named
    }
    todo = [id for id in found if id.kind == "materialized_view"]
    while todo:
        for need in before.edges.get(todo.pop(), ()):
            whole = need if not need.part else ObjectId("table", need.schema, need.name)
            if whole not in found and (whole.kind in ("table", "materialized_view", "view")):
                if whole.kind != "view" and whole in before.facts:
                    found.add(whole)
                todo += [whole] if whole.kind != "table" else []
    return found


@dataclass(frozen=True, slots=True)
class Later:
    """What the state after a plan asks of rows: its tables, and the columns that its unique keys speak of."""

    tables: seed_tables.Tables
    unique: Mapping[int, frozenset[str]]


def later(database: Url) -> Later:
    """`database` is an empty one in the state after."""
    with connect(database) as connection:
        return Later(seed_tables.read(connection), unique(connection))


def with_later(
    tables: seed_tables.Tables, after: Later | None
) -> tuple[seed_tables.Tables, dict[int, frozenset[str]]]:
    """The tables of the state before with the foreign keys and checks that come, and the columns that will be unique: a plan that
    adds them is to find rows that keep them. By name; what is renamed is not followed."""
    if after is None:
        return tables, {}
    by_name = {(table.schema, table.name): oid for oid, table in tables.tables.items()}
    oid_then = {
        oid: by_name[table.schema, table.name]
        for oid, table in after.tables.tables.items()
        if (table.schema, table.name) in by_name
    }
    found, also = dict(tables.tables), {}
    for new, oid in oid_then.items():
        table, then = tables.tables[oid], after.tables.tables[new]
        types = {column.name: column.type_text for column in table.columns}
        keys = [
            replace(key, target=oid_then[key.target])
            for key in then.keys
            if key.target in oid_then
            and types.keys() >= set(key.columns)
            and {c.name for c in tables.tables[oid_then[key.target]].columns} >= set(key.target_columns)
        ]
        same = {column.name for column in then.columns if types.get(column.name) == column.type_text}
        checks = [check for check in then.checks if check.name and check.columns <= same]
        there = {(key.columns, key.target) for key in table.keys}
        said = {check.expression for check in table.checks}
        found[oid] = replace(
            table,
            keys=(*table.keys, *(key for key in keys if (key.columns, key.target) not in there)),
            checks=(*table.checks, *(check for check in checks if check.expression not in said)),
        )
        also[oid] = after.unique.get(new, frozenset()) & types.keys()
    return replace(tables, tables=found), also


@contextmanager
def filled(
    shadow: Shadow,
    start: Url,
    before: Snapshot,
    live: Mapping[ObjectId, Size],
    part: float,
    *,
    varied: bool = True,
    after: Later | None = None,
) -> Iterator[tuple[Url, Mapping[ObjectId, int], tuple[str, ...]]]:
    """A copy of `start`, for a plan that leads to `after`, with this part of the target's rows: the database, the rows of each table, what is missing."""
    with shadow.copy(start) as database:
        with connect(database) as connection:
            with connection.transaction(), without_triggers(connection):
                tables_wanted = [id for id in live if id.kind == "table"]
                tables, unique_later = with_later(seed_tables.read(connection), after)
                planted = seed(connection, before, only=tables_wanted, known=tables)
                connection.execute("set local statement_timeout to '2min'")
                ids = {oid: ObjectId("table", t.schema, t.name) for oid, t in tables.tables.items()}
                asked = {oid: max(1, round(live[id].rows * part)) for oid, id in ids.items() if id in live}
                widths = {
                    oid: live[ids[oid]].bytes // max(live[ids[oid]].rows, 1)
                    - _width(connection, tables.tables[oid])
                    for oid in asked
                }
                grown = multiply(connection, tables, asked, widths, varied=varied, also_unique=unique_later)
            for id in live:
                if id.kind == "materialized_view":
                    connection.execute(f"refresh materialized view {ident(id.schema, id.name)}".encode())
            names = ", ".join(ident(id.schema, id.name) for id in live)
            connection.execute(f"vacuum analyze {names}".encode())
            if shadow.own:
                connection.execute("checkpoint")  # else it would fall into the first of the runs
        rows = {ids[oid]: count for oid, count in grown.rows.items()}
        yield database, rows, (*planted.failed, *grown.failed)


def _width(connection: psycopg.Connection[TupleRow], table: seed_tables.Table) -> int:
    """Bytes that one of the first rows takes on its page, with header and pointer (manual, "Database Page Layout")."""
    row = connection.execute(
        f"select coalesce(avg(pg_catalog.pg_column_size(x.*)), 0)::int from only {table.sql} as x".encode()
    ).fetchone()
    return int(row[0]) + 4 if row else 0
