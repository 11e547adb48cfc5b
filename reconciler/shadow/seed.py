"""A few rows in every table of a shadow, so that a rehearsal meets data.

Values come from types, from constants in checks and, for foreign keys, from the rows of the tables they point to. Triggers
are off while the rows go in, yet every constraint holds afterwards, foreign keys included: what cannot be made to hold is
taken out again. The same database always gets the same rows, as far as its own defaults allow. What could not be seeded
is reported with the reason: about such a table a rehearsal says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId, Snapshot
from reconciler.shadow import seed_fill, seed_order, seed_tables, seed_verify
from reconciler.shadow.seed_keys import Owed

Connection = psycopg.Connection[TupleRow]
ROWS = 3


@dataclass(frozen=True, slots=True)
class Seeded:
    """Which tables hold rows now, and, in sentences, which do not and why."""

    tables: tuple[ObjectId, ...]
    failed: tuple[str, ...]


def seed(
    connection: Connection,
    snapshot: Snapshot,
    only: Iterable[ObjectId] | None = None,
    rows: int = ROWS,
    known: seed_tables.Tables | None = None,
) -> Seeded:
    """Puts up to `rows` rows into each empty table (default: all of them), those that others point to first.

    `connection` belongs to a superuser, since it switches triggers off while it works; everything happens in one
    transaction, or in the caller's. Tables that `only` names bring those that their foreign keys lead to. A partitioned
    table counts through its partitions; tables that hold rows already are left alone and count as seeded. `known` says what the rows
    have to keep, where that is more than the database itself asks for.
    """
    with connection.transaction(), without_triggers(connection):
        known = known or seed_tables.read(connection)
        ids = {ObjectId("table", table.schema, table.name): oid for oid, table in known.tables.items()}
        wanted = {ids[id] for id in snapshot.facts if id.kind == "table" and id in ids}
        if only is not None:
            wanted &= {ids[id] for id in only if id in ids}
        reached = seed_order.with_targets(known, wanted)
        if only is not None:
            wanted = reached
        order = seed_order.ordered(known, reached)
        troubles, still_empty = plant(connection, known, order, dict.fromkeys(order, rows))
    seeded, failed = [], []
    for oid in order:
        table = known.tables[oid]
        if oid not in wanted:
            continue
        if oid in still_empty:
            failed.append(f"{table.sql}: {troubles.get(oid, seed_verify.TAKEN_OUT)}")
        else:
            seeded.append(ObjectId("table", table.schema, table.name))
    failed += [
        f"{known.tables[oid].sql}: it is partitioned and has no partition that could hold a row"
        for oid in sorted(wanted)
        if known.tables[oid].partitioned and not known.tables[oid].leaves
    ]
    return Seeded(tuple(seeded), tuple(sorted(failed)))


def plant(
    connection: Connection, known: seed_tables.Tables, order: Sequence[int], rows: Mapping[int, int]
) -> tuple[dict[int, str], set[int]]:
    """Fills those of the tables in `order` that hold no row that counts; what went wrong, and which hold none even now.

    For a transaction with triggers off.
    """
    troubles: dict[int, str] = {}
    empty = seed_verify.empty(connection, known, order)
    to_fill = [oid for oid in order if oid in empty]
    pending = set(to_fill)
    late: list[seed_fill.Late] = []
    owed: dict[int, list[Owed]] = {}
    for oid in to_fill:
        pending.discard(oid)
        table = known.tables[oid]
        filled = seed_fill.fill(connection, known, table, frozenset(pending), owed, rows[oid])
        late += filled.late
        if filled.trouble:
            troubles[oid] = filled.trouble
    for item in late:
        seed_fill.set_late(connection, known, item)
    seed_verify.remove_wrong(connection, known, to_fill)
    return troubles, seed_verify.empty(connection, known, order)


@contextmanager
def without_triggers(connection: Connection) -> Iterator[None]:
    """Triggers off, foreign keys unchecked. Put back by hand: in somebody's transaction SET LOCAL outlives a savepoint."""
    row = connection.execute(
        "select pg_catalog.current_setting('session_replication_role'), pg_catalog.current_setting('statement_timeout'),"
        " pg_catalog.current_setting('jit')"
    ).fetchone()
    connection.execute("set local session_replication_role to replica")
    connection.execute("set local statement_timeout to '5s'")
    connection.execute("set local jit to off")
    yield
    connection.execute(
        "select pg_catalog.set_config('session_replication_role', %s, true),"
        " pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('jit', %s, true)",
        row,
    )
