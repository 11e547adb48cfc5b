"""Many rows out of few: every seeded row is repeated on the server, each time with other keys.

The seeded rows of all tables satisfy every constraint together, so a repetition of all of them does, too, when each value of a key
is replaced by another one in the same way everywhere: the n-th repetition of an invoice points to the n-th repetition of its
customer. A table that others point to has a power of two of repetitions, so that where it has fewer than they the remainder of n
names one that exists. Columns that no key and no check speaks of vary as well, else an index over them would be built over three
values. A row that breaks a constraint is left out; which tables got fewer rows than they should is reported with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.shadow import seed_order, seed_verify
from reconciler.shadow.multiply_keys import Links, companions, links, moduli, turns
from reconciler.shadow.multiply_values import HELPERS, asked, repeated
from reconciler.shadow.seed_solve import attempt
from reconciler.shadow.seed_tables import Column, Table, Tables

Connection = psycopg.Connection[TupleRow]


_N = "reconciler_n"
"""The number of the repetition: no column is called that."""


@dataclass(frozen=True, slots=True)
class Grown:
    """How many rows each table has now, and, in sentences, which got fewer than half of what was asked for and why."""

    rows: Mapping[int, int]
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _World:
    """`copies` says how often the rows of a table are to be there, `unique` which of its columns a unique key speaks of, and
    `widths` by how many bytes its rows are to be longer."""

    tables: Tables
    copies: Mapping[int, int]
    links: Links
    unique: Mapping[int, frozenset[str]]
    widths: Mapping[int, int]


def multiply(
    connection: Connection,
    tables: Tables,
    wanted: Mapping[int, int],
    widths: Mapping[int, int] | None = None,
    *,
    varied: bool = True,
    also_unique: Mapping[int, frozenset[str]] | None = None,
) -> Grown:
    """Repeats the rows of each table until it has about as many as `wanted` says; tables without rows stay empty.

    `widths` are the bytes by which a row should be longer; `varied` false repeats what is no key as it is; `also_unique` are
    columns that a later unique key will speak of. Runs in a transaction of the caller with triggers off.
    """
    connection.execute(HELPERS)
    seeds = {oid: _count(connection, tables.tables[oid]) for oid in wanted}
    pointed = _pointed_to(tables)
    copies: dict[int, int] = {}
    for oid in wanted:
        if seeds[oid]:
            times = wanted[oid] / seeds[oid] * moduli(tables.tables[oid])
            copies[oid] = _power(times) if oid in pointed else max(1, round(times))
    keys, later = unique(connection), also_unique or {}
    keys = {oid: keys.get(oid, frozenset()) | later.get(oid, frozenset()) for oid in {*keys, *later}}
    world = _World(tables, copies, links(connection, tables, copies), keys, widths or {})
    troubles: dict[int, str] = {}
    order = seed_order.ordered(tables, copies)
    for oid in order:
        if world.copies[oid] == 1:
            continue
        troubles[oid] = _grow(connection, world, tables.tables[oid], varied)
        there = _count(connection, tables.tables[oid]) if oid in pointed else 0
        if oid in pointed and there < seeds[oid] * world.copies[oid]:
            # what points to it is to find the rows that are there, which are those of the first repetitions
            fewer = {**world.copies, oid: 2 ** ((there // seeds[oid]).bit_length() - 1)}
            world = replace(world, copies=fewer, links=replace(world.links, turns=turns(tables, fewer)))
    seed_verify.remove_wrong(connection, tables, order)
    rows = {oid: _count(connection, tables.tables[oid]) for oid in wanted}
    failed = [
        f"{tables.tables[oid].sql} has {rows[oid]:,} rows instead of {wanted[oid]:,}:"
        f" {troubles.get(oid) or ('its keys and checks leave no more' if seeds[oid] else 'none could be made')}"
        for oid in wanted
        if 2 * rows[oid] < wanted[oid]
    ]
    return Grown(rows, tuple(sorted(failed)))


def _count(connection: Connection, table: Table) -> int:
    row = connection.execute(f"select count(*) from only {table.sql}").fetchone()
    return int(row[0]) if row else 0


def _power(times: float) -> int:
    """The power of two that is nearest, on a scale of multiples."""
    found = 1
    while found * 1.4142 < times:
        found *= 2
    return found


def _pointed_to(tables: Tables) -> set[int]:
    """The tables whose number of repetitions others depend on."""
    targets = {key.target for table in tables.tables.values() for key in table.keys} & tables.tables.keys()
    return targets | {leaf for oid in targets for leaf in tables.tables[oid].leaves}


def _grow(connection: Connection, world: _World, table: Table, varied: bool) -> str:
    """The trouble; empty when there was none. First with everything varied that may be, then with keys alone."""
    first = ""
    for everything in (True, False) if varied else (False,):
        for guard in (" on conflict do nothing", ""):
            answer = attempt(connection, _insert(world, table, everything) + guard)
            if not isinstance(answer, psycopg.Error):
                return ""
            first = first or (answer.diag.message_primary or str(answer)).strip()
            if answer.sqlstate != "55000":  # a unique constraint that may be deferred decides no conflict
                break
    return first


def _insert(world: _World, table: Table, everything: bool) -> str:
    columns = [column for column in table.columns if not column.generated]
    checked = {name for check in table.checks for name in check.columns}
    staying = {name for check in table.checks if not check.name for name in check.columns}
    needed = world.unique.get(table.oid, frozenset()) | world.links.columns(table.oid)
    for a, b in companions(world.tables, table):
        if a in needed or b in needed:
            needed |= {a, b}
    if moduli(table) == 1:
        needed -= staying
    pad = _padded(world, table, columns, checked | needed) if everything else ""
    values = []
    for column in columns:
        own, place = f"x.{ident(column.name)}", (table.oid, column.name)
        turn = world.links.turns.get(place, world.copies[table.oid])
        varied = column.name in needed or (everything and column.name not in checked)
        made = ""
        if varied and turn > 1:
            kept = place in world.links.shaped
            made = repeated(
                own, column, world.tables.types, f"({_N} % {turn})", world.links.stride(place), kept
            )
        if made and column.name == pad:
            made = f"{made} || repeat(md5({_N}::text || x.ctid::text), {world.widths[table.oid] // 32})"
        values.append(f"case when {_N} % {turn} = 0 then {own} else {made} end" if made else own)
    names = ", ".join(ident(column.name) for column in columns)
    named = ", ".join(
        f"{value} as {ident(column.name)}" for value, column in zip(values, columns, strict=True)
    )
    computed = {column.name for column in table.columns if column.generated}
    holds = [f"({check.expression}) is not false" for check in table.checks if not check.columns & computed]
    holds += [
        f"({condition}) is not false" for column in columns for condition in asked(world.tables.types, column)
    ]
    cast = ", ".join(f"{ident(column.name)}::{column.type_text}" for column in columns)
    return (
        f"insert into {table.sql} ({names}) overriding system value select {cast} from (select {named} from"
        f" generate_series(1, {world.copies[table.oid] - 1}) as {_N} cross join (select *, ctid from only {table.sql}) as x"
        f" offset 0) as {ident(table.name)} where {' and '.join(holds) or 'true'}"
    )


_PAD = 1_900
"""Most bytes that a value is made longer by: PostgreSQL would store a longer one elsewhere (manual, TOAST)."""


def _padded(world: _World, table: Table, columns: Iterable[Column], bound: set[str]) -> str:
    """The text that can be made as long as the rows of the target are wide; empty when none has to or can."""
    if not 32 <= world.widths.get(table.oid, 0) <= _PAD:
        return ""
    free = [c.name for c in columns if c.type_text == "text" and c.name not in bound]
    return free[0] if free else ""


def unique(connection: Connection) -> dict[int, frozenset[str]]:
    """The columns of each table that a unique index or an exclusion constraint speaks of."""
    rows: Sequence[tuple[int, list[str]]] = connection.execute(
        "select i.indrelid::bigint, pg_catalog.array_agg(distinct a.attname::text) from pg_catalog.pg_index as i join"
        " pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid and"
        " d.refobjid = i.indrelid and d.refobjsubid > 0 join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum ="
        " d.refobjsubid where i.indisunique or i.indisexclusion group by 1"
        " union all select k.conrelid::bigint, pg_catalog.array_agg(distinct a.attname::text) from pg_catalog.pg_constraint as k"
        " join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = any(k.conkey) where k.contype in"
        " ('p', 'u', 'x') group by 1 order by 1"
    ).fetchall()
    found: dict[int, frozenset[str]] = {}
    for oid, names in rows:
        found[oid] = found.get(oid, frozenset()) | frozenset(names)
    return found
