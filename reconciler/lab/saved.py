"""The rows and sequences of some tables, kept aside, and put back before each schedule; and read, as text, after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.gates import SCHEMA
from reconciler.model import ObjectId
from reconciler.pg import ident, literal

Connection = psycopg.Connection[TupleRow]
Rows = tuple[tuple[str | None, ...], ...]

_COLUMNS = """
select a.attname::text, a.attgenerated <> '' , coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity <> '',
       pg_catalog.format_type(a.atttypid, null), a.attrelid::bigint, a.attnum::int
  from pg_catalog.pg_attribute as a left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attrelid = pg_catalog.to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_PRIMARY = """
select a.attname::text from pg_catalog.pg_index as i cross join lateral pg_catalog.unnest(i.indkey::int2[]) with ordinality as k (n, place)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.n
 where i.indisprimary and i.indrelid = pg_catalog.to_regclass(%s) order by k.place
"""
_SEQUENCES = """
select pg_catalog.format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where c.relkind = 'S' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'reconciler_lab') order by 1
"""


@dataclass(frozen=True, slots=True)
class Column:
    """`computed` cannot be written. `made` says that a default makes its values: a key of a sequence or a random one. `place` is the OID
    of the table and the number of the column."""

    name: str
    type: str
    computed: bool
    made: bool
    place: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Saved:
    """What `restore` puts back: one script, and the columns of each table for `state`."""

    script: str
    columns: Mapping[ObjectId, tuple[Column, ...]]


def save(connection: Connection, tables: Iterable[ObjectId], name: str = "kept") -> Saved:
    """Keeps the rows of these tables, and where every sequence stands. Partitioned tables are kept by their partitions. `name` is that of
    what is kept: one for each call."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    known: dict[ObjectId, tuple[Column, ...]] = {}
    away, back = [], []
    for number, table in enumerate(sorted(set(tables))):
        source, kept = ident(table.schema, table.name), f"{SCHEMA}.{name}_{number}"
        known[table] = columns(connection, table)
        connection.execute(f"drop table if exists {kept}")
        connection.execute(f"create table {kept} as select * from only {source}")
        stored = ", ".join(ident(column.name) for column in known[table] if not column.computed)
        away.append(f"delete from only {source}")
        if stored:
            back.append(
                f"insert into {source} ({stored}) overriding system value select {stored} from {kept}"
            )
    for (sequence,) in connection.execute(_SEQUENCES).fetchall():
        row = connection.execute(f"select last_value, is_called from {sequence}").fetchone()
        assert row is not None
        back.append(f"select pg_catalog.setval({literal(sequence)}, {row[0]}, {str(row[1]).lower()})")
    script = "; ".join(("begin", "set local session_replication_role to replica", *away, *back, "commit"))
    return Saved(script, known)


def restore(connection: Connection, saved: Saved) -> None:
    """As a superuser: triggers and foreign keys are not asked."""
    connection.execute(saved.script.encode())


def state(connection: Connection, saved: Saved) -> dict[ObjectId, Rows]:
    """Every row of the tables as text, in no particular order."""
    return {table: rows(connection, table, known) for table, known in saved.columns.items() if known}


def digests(connection: Connection, tables: Iterable[ObjectId]) -> dict[str, str]:
    """A value for the rows of each table, in one query; for many tables of few rows."""
    parts = [
        f"select {literal(str(table))}, pg_catalog.count(*)::text || ' '"
        f" || coalesce(pg_catalog.sum(pg_catalog.hashtextextended(x::text, 0)), 0)::text"
        f" from only {ident(table.schema, table.name)} as x"
        for table in sorted(set(tables))
    ]
    return dict(connection.execute(" union all ".join(parts).encode()).fetchall()) if parts else {}


def columns(connection: Connection, table: ObjectId) -> tuple[Column, ...]:
    """Those of one table, in their order."""
    return tuple(
        Column(column, type, computed, identity or makes(default), (oid, place))
        for column, computed, default, identity, type, oid, place in connection.execute(
            _COLUMNS, (ident(table.schema, table.name),)
        ).fetchall()
    )


def primary(connection: Connection, table: ObjectId) -> tuple[str, ...]:
    """The columns of its primary key; none where there is none."""
    found = connection.execute(_PRIMARY, (ident(table.schema, table.name),)).fetchall()
    return tuple(row[0] for row in found)


def rows(connection: Connection, table: ObjectId, known: Sequence[Column]) -> Rows:
    """Every row of one table as text, in no particular order."""
    names = ", ".join(f"{ident(column.name)}::text" for column in known)
    found = connection.execute(
        f"select {names} from only {ident(table.schema, table.name)}".encode()
    ).fetchall()
    return tuple(tuple(row) for row in found)


def makes(default: str) -> bool:
    """Whether a default makes a key of its own for every row."""
    return any(
        word in default for word in ("nextval(", "gen_random_uuid(", "uuid_generate_", "uuidv7(", "uuidv4(")
    )


def references(connection: Connection) -> dict[tuple[ObjectId, str], tuple[ObjectId, str]]:
    """Each column of a foreign key, and the column it points to."""
    rows = connection.execute(
        "select n.nspname::text, c.relname::text, a.attname::text, fn.nspname::text, fc.relname::text, fa.attname::text"
        " from pg_catalog.pg_constraint as k cross join lateral rows from (pg_catalog.unnest(k.conkey),"
        " pg_catalog.unnest(k.confkey)) as x (own, their) join pg_catalog.pg_class as c on c.oid = k.conrelid"
        " join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
        " join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = x.own"
        " join pg_catalog.pg_class as fc on fc.oid = k.confrelid"
        " join pg_catalog.pg_namespace as fn on fn.oid = fc.relnamespace"
        " join pg_catalog.pg_attribute as fa on fa.attrelid = fc.oid and fa.attnum = x.their"
        " where k.contype = 'f' order by 1, 2, 3, 4, 5, 6"
    ).fetchall()
    return {
        (ObjectId("table", schema, table), column): (ObjectId("table", other, their), key)
        for schema, table, column, other, their, key in rows
    }
