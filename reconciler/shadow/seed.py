"""A few rows in every table of a shadow, so that a rehearsal meets data.

Values come from the types, from enums and domains, and for foreign keys from the table they point to; triggers are off while
they go in. What cannot be seeded is reported with PostgreSQL's own reason: about such a table a rehearsal says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import Fact, ObjectId, Snapshot
from reconciler.pg import ident, literal

Connection = psycopg.Connection[TupleRow]
ROWS = 3

_BY_TYPE = {
    "boolean": "({n} % 2 = 0)",
    "smallint": "{n}::smallint",
    "integer": "{n}::integer",
    "bigint": "{n}::bigint",
    "real": "({n} + 0.5)::real",
    "double precision": "({n} + 0.5)::double precision",
    "money": "{n}::money",
    "date": "('2020-01-01'::date + {n})",
    "timestamp without time zone": "('2020-01-01 00:00'::timestamp + {n} * interval '1 hour')",
    "timestamp with time zone": "('2020-01-01 00:00+00'::timestamptz + {n} * interval '1 hour')",
    "time without time zone": "('08:00'::time + {n} * interval '1 minute')",
    "time with time zone": "('08:00+00'::timetz + {n} * interval '1 minute')",
    "interval": "({n} * interval '1 hour')",
    "uuid": "pg_catalog.md5({seed} || {n}::text)::uuid",
    "json": "pg_catalog.json_build_object('n', {n})",
    "jsonb": "pg_catalog.jsonb_build_object('n', {n})",
    "bytea": "pg_catalog.convert_to('row ' || {n}, 'UTF8')",
    "inet": "('10.0.0.0'::inet + {n})",
    "cidr": "('10.0.0.' || {n} || '/32')::cidr",
    "macaddr": "('08:00:2b:01:02:0' || {n} % 10)::macaddr",
    "macaddr8": "('08:00:2b:01:02:03:04:0' || {n} % 10)::macaddr8",
    "point": "pg_catalog.point({n}, {n})",
    "tsvector": "('row' || {n})::tsvector",
    "tsquery": "('row' || {n})::tsquery",
    "xml": "('<row>' || {n} || '</row>')::xml",
    "oid": "{n}::oid",
    "name": "('row ' || {n})::name",
    "text": "('row ' || {n})",
}
"""An SQL expression of {n}, the number of the row, by the name format_type() prints."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """Which tables hold rows now, and, in sentences, which do not and why."""

    tables: tuple[ObjectId, ...]
    failed: tuple[str, ...]


def seed(
    connection: Connection, snapshot: Snapshot, only: Iterable[ObjectId] | None = None, rows: int = ROWS
) -> Seeded:
    """Puts `rows` rows into each empty table (default: all of them), those that others point to first.

    `connection` belongs to a superuser, since it switches triggers off for its session while it works.
    """
    wanted = {id for id, fact in snapshot.facts.items() if id.kind == "table" and not fact["partition_by"]}
    if only is not None:
        wanted &= _with_targets(snapshot, set(only))
    filled, failed = [], []
    connection.execute("set session_replication_role = replica")
    try:
        for table in _ordered(snapshot, wanted):
            trouble = _fill(connection, snapshot, table, rows)
            if trouble:
                failed.append(f"{table}: {trouble}")
            else:
                filled.append(table)
    finally:
        connection.execute("reset session_replication_role")
    return Seeded(tuple(filled), tuple(failed))


def _with_targets(snapshot: Snapshot, tables: set[ObjectId]) -> set[ObjectId]:
    """The tables and everything their foreign keys lead to."""
    found: set[ObjectId] = set()
    todo = list(tables)
    while todo:
        table = todo.pop()
        if table not in found:
            found.add(table)
            todo += _targets(snapshot, table)
    return found


def _targets(snapshot: Snapshot, table: ObjectId) -> list[ObjectId]:
    found = []
    for key in _keys(snapshot, table):
        for need in snapshot.edges.get(key.id, ()):
            if need.kind == "column" and (need.schema, need.name) != (table.schema, table.name):
                found.append(ObjectId("table", need.schema, need.name))
    return sorted(set(found))


def _keys(snapshot: Snapshot, table: ObjectId) -> list[Fact]:
    return [p for p in snapshot.children.get(table, ()) if p.id.kind == "constraint" and p["type"] == "f"]


def _ordered(snapshot: Snapshot, tables: set[ObjectId]) -> list[ObjectId]:
    """Tables that others point to first; inside a circle, by name."""
    order: list[ObjectId] = []
    seen: set[ObjectId] = set()

    for start in sorted(tables):
        stack = [(start, iter(_targets(snapshot, start)))]
        seen.add(start) if start not in seen else stack.clear()
        while stack:
            table, targets = stack[-1]
            following = next((t for t in targets if t in tables and t not in seen), None)
            if following is None:
                order.append(table)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(_targets(snapshot, following))))
    return order


def _fill(connection: Connection, snapshot: Snapshot, table: ObjectId, rows: int) -> str:
    """Empty when the table has rows afterwards, else the reason why not."""
    name = ident(table.schema, table.name)
    try:
        with connection.transaction():
            if connection.execute(f"select from only {name} limit 1").fetchone() is not None:
                return ""
    except psycopg.Error as error:
        return _said(error)
    references = _references(connection, snapshot, table)
    trouble = ""
    for offset in (1, 1001):
        values = _values(snapshot, table, references)
        if isinstance(values, str):
            return values
        columns = ", ".join(ident(column) for column in values)
        chosen = ", ".join(values.values())
        body = f"({columns}) overriding system value select {chosen}" if values else "default values"
        tail = f" from pg_catalog.generate_series({offset}, {offset + rows - 1}) as g(n)" if values else ""
        for extra in ("", " on conflict do nothing"):
            try:
                with connection.transaction():
                    connection.execute(f"insert into {name} {body}{tail}{extra}")
                    if connection.execute(f"select from only {name} limit 1").fetchone() is None:
                        trouble = "no row went in"
                        continue
                return ""
            except psycopg.Error as error:
                trouble = _said(error)
    return trouble


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()


def _references(connection: Connection, snapshot: Snapshot, table: ObjectId) -> dict[str, str]:
    """For the columns of foreign keys: an expression that picks the n-th row of the table they point to."""
    found: dict[str, str] = {}
    for key in _keys(snapshot, table):
        row = connection.execute(
            "select (select pg_catalog.array_agg(a.attname::text order by x.i) from pg_catalog.unnest(k.conkey) with ordinality"
            " as x(n, i) join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = x.n), (select"
            " pg_catalog.array_agg(a.attname::text order by x.i) from pg_catalog.unnest(k.confkey) with ordinality as x(n, i)"
            " join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = x.n), n.nspname::text,"
            " f.relname::text from pg_catalog.pg_constraint as k join pg_catalog.pg_class as f on f.oid = k.confrelid join"
            " pg_catalog.pg_namespace as n on n.oid = f.relnamespace where k.contype = 'f' and k.conname = %s and k.conrelid ="
            " %s::pg_catalog.regclass",
            (key.id.part, ident(table.schema, table.name)),
        ).fetchone()
        if row is None:
            continue
        own, theirs, schema, name = row
        if (schema, name) == (table.schema, table.name):
            for column in own:
                found.setdefault(column, "null")
            continue
        order = ", ".join(ident(column) for column in theirs)
        for mine, its in zip(own, theirs, strict=True):
            found.setdefault(
                mine,
                f"(select f.{ident(its)} from {ident(schema, name)} as f order by {order} offset (g.n - 1) %"
                f" greatest((select count(*) from {ident(schema, name)}), 1) limit 1)",
            )
    return found


def _values(snapshot: Snapshot, table: ObjectId, references: dict[str, str]) -> dict[str, str] | str:
    """column → expression, or the reason why some column cannot be given a value."""
    found = {}
    for column in snapshot.children.get(table, ()):
        if column.id.kind != "column" or column["generated"]:
            continue
        name = column.id.part
        if name in references:
            found[name] = references[name]
            continue
        value = _value(snapshot, column, str(column["type"]))
        if value is None and column["not_null"] and not _has_default(snapshot, column):
            return f"no value is known for column {name} of type {column['type']}"
        if value is not None:
            found[name] = value
    return found


def _has_default(snapshot: Snapshot, column: Fact) -> bool:
    return bool(column["identity"]) or any(
        p.id.kind == "default" for p in snapshot.children.get(column.id, ())
    )


def _value(snapshot: Snapshot, column: Fact, type_: str) -> str | None:
    """An expression of g.n for a type, or None when there is none."""
    if type_.endswith("[]"):
        inner = _value(snapshot, column, type_[:-2])
        return None if inner is None else f"array[{inner}]::{type_}"
    base = type_.split("(")[0].strip()
    known = _BY_TYPE.get(base) or _BY_TYPE.get(type_)
    if known is not None:
        return known.replace("{seed}", literal(str(column.id))).replace("{n}", "g.n")
    if base in ("character varying", "character"):
        size = int(type_[type_.index("(") + 1 : -1]) if "(" in type_ else 60
        return f"pg_catalog.right('row ' || g.n, {size})::{type_}"
    if base == "numeric":
        digits, scale = _numeric(type_)
        return (
            f"least(g.n, {10 ** max(digits - scale, 0) - 1 if digits > scale else 0})::{type_}"
            if digits
            else "g.n::numeric"
        )
    if base in ("bit", "bit varying"):
        return f"('1')::{type_}"
    return _own_type(snapshot, column, type_)


def _numeric(type_: str) -> tuple[int, int]:
    if "(" not in type_:
        return 0, 0
    inner = type_[type_.index("(") + 1 : type_.index(")")].split(",")
    return int(inner[0]), int(inner[1]) if len(inner) > 1 else 0


def _own_type(snapshot: Snapshot, column: Fact, type_: str) -> str | None:
    for need in snapshot.edges.get(column.id, ()):
        fact = snapshot.facts.get(need)
        if fact is None or ident(need.schema, need.name) != type_:
            continue
        if need.kind == "enum" and fact["values"]:
            labels = ", ".join(literal(value) for value in fact["values"])
            return f"(array[{labels}])[1 + g.n % {len(fact['values'])}]::{type_}"
        if need.kind == "domain":
            inner = _value(snapshot, fact, str(fact["type"]))
            return None if inner is None else f"({inner})::{type_}"
    return None
