"""Which tables a statement read and wrote, whoever did it: by itself, in a trigger, in a function, through a foreign key.

PostgreSQL counts scans and rows for each table of the running transaction (manual: pg_stat_xact_user_tables). Measured on 14 and 18:
what is read through an index is counted for the index alone, what earlier transactions of the session counted may still be in there, rows of a subtransaction that was rolled back stay
counted, and TRUNCATE takes counts away and gives the table a new file. So the counters are asked for before and after, in one
transaction, and the difference is taken; a new file is a write. Promises no more than that: a statement that was rolled
back counts as if it had written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId

_KINDS: Mapping[str, str] = {"r": "table", "p": "table", "m": "materialized_view"}
_RELATIONS = (
    "select c.oid::bigint, c.relkind::text, n.nspname::text, c.relname::text, c.relfilenode::bigint"
    " from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
    " where c.relkind in ('r', 'm') and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <>"
    " 'information_schema' order by 1"
)
_INDEXES = "select i.indexrelid::bigint, i.indrelid::bigint from pg_catalog.pg_index as i order by 1"
_COUNTED = (
    "pg_catalog.pg_stat_get_xact_numscans(c.oid)",
    "pg_catalog.pg_stat_get_xact_tuples_returned(c.oid) + pg_catalog.pg_stat_get_xact_tuples_fetched(c.oid)",
    "pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)",
    "pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)",
    "pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)",
)


@dataclass(frozen=True, slots=True)
class Touched:
    """One table or materialized view: how often it was scanned, how many rows were read, inserted, updated, deleted.

    `scans` also counts those of its indexes. `replaced` says that it has a new file: it was truncated, refreshed or rewritten.
    """

    relation: ObjectId
    oid: int
    scans: int = 0
    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    replaced: bool = False

    @property
    def written(self) -> bool:
        return self.replaced or bool(self.inserted or self.updated or self.deleted)


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched: tables by OID, with the file each had, and the table of each index by the index's OID. `sql` is the query to
    run before and after."""

    relations: Mapping[int, tuple[ObjectId, int]]
    indexes: Mapping[int, int]
    sql: str


def watch(connection: psycopg.Connection[TupleRow], *, indexes: bool = True) -> Watch:
    """Every table, partition and materialized view outside the system's schemas, as they are now.

    Without `indexes` the query takes half the time, and what is read through an index is not seen.
    """
    found = {
        oid: (ObjectId(_KINDS[kind], schema, name), file)
        for oid, kind, schema, name, file in connection.execute(_RELATIONS)
    }
    of = {oid: table for oid, table in connection.execute(_INDEXES) if table in found} if indexes else {}
    files = [f"({oid}, {file}, {oid})" for oid, (_, file) in found.items()]
    known = ", ".join(files + [f"({oid}, 0, {table})" for oid, table in of.items()]) or "(0, 0, 0)"
    any_count = " or ".join(f"{count} <> 0" for count in _COUNTED)
    sql = (
        f"select c.oid::bigint, {', '.join(_COUNTED)}, c.relfilenode::bigint from (values {known}) as w (oid, file, of)"
        " join pg_catalog.pg_class as c on c.oid = w.oid::pg_catalog.oid"
        f" where (w.of = w.oid and c.relfilenode <> w.file) or {any_count} order by c.oid"
    )
    return Watch(found, of, sql)


def difference(
    watch: Watch, before: Iterable[Sequence[object]], after: Iterable[Sequence[object]]
) -> tuple[Touched, ...]:
    """What happened between two answers to `watch.sql`, as numbers or as text: the tables that anything happened to, by OID."""
    first = {int(str(row[0])): [int(str(cell)) for cell in row[1:]] for row in before}
    sums: dict[int, list[int]] = {}
    replaced: set[int] = set()
    for row in after:
        oid, *now = (int(str(cell)) for cell in row)
        table = watch.indexes.get(oid, oid)
        was = first.get(oid, [0, 0, 0, 0, 0, watch.relations[oid][1] if oid in watch.relations else 0])
        if table == oid and now[-1] != was[-1]:
            replaced.add(table)
        total = sums.setdefault(table, [0, 0, 0, 0, 0])
        for place, (count, old) in enumerate(zip(now[:-1], was[:-1], strict=True)):
            # an index counts the rows that it led to; its own entries, read and written, are no rows
            total[place] += count - old if table == oid or place == 0 else 0
    return tuple(
        Touched(watch.relations[table][0], table, *_five(total), replaced=table in replaced)
        for table, total in sorted(sums.items())
        if any(total) or table in replaced
    )


def _five(counts: Sequence[int]) -> tuple[int, int, int, int, int]:
    scans, read, inserted, updated, deleted = counts
    return scans, read, inserted, updated, deleted


@contextmanager
def touching(connection: psycopg.Connection[TupleRow], watch: Watch) -> Iterator[list[Touched]]:
    """Fills the list it yields when the block ends without an error.

    For use inside a transaction; any role may read the counters.
    """
    found: list[Touched] = []
    before = connection.execute(watch.sql).fetchall()
    yield found
    found.extend(difference(watch, before, connection.execute(watch.sql).fetchall()))
