"""The statements that are timed: one row at a time as an application sends them, prepared, and many rows by one statement.

An UPDATE has to change what makes the trigger fire. Which change that is, is tried: a column as it is, and the columns of the trigger, one after
another, made a little other, until the trigger was seen to fire.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.lab.overhead.stock import ASIDE, NUMBER, PLACES, Stock
from reconciler.lab.overhead.values import Event
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]
SINGLES = 200
"""How many rows are written one by one, those to warm up with among them."""

_OTHER = {
    "text": "{c} || 'x'", "character varying": "{c} || 'x'", "boolean": "not {c}", "integer": "{c} + 1", "bigint": "{c} + 1",
    "smallint": "{c} + 1", "numeric": "{c} + 1", "double precision": "{c} + 1", "timestamp with time zone": "{c} + interval '1 second'",
    "timestamp without time zone": "{c} + interval '1 second'", "date": "{c} + 1", "jsonb": "{c} || '{{\"x\": 1}}'",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statements:
    """`single` takes the values of a row, which are `rows`; `bulk` takes how many rows, from the first."""

    event: Event
    single: str
    bulk: str
    rows: tuple[tuple[str | None, ...], ...]


def candidates(
    connection: Connection, stock: Stock, event: Event, of: tuple[str, ...]
) -> Iterator[Statements]:
    """The statements that could do it; `of` are the columns that the trigger names (UPDATE OF)."""
    if event == "INSERT":
        as_text = ", ".join(f"{ident(column)}::text" for column in stock.columns)
        rows = connection.execute(
            f"select {as_text} from {ASIDE} order by {NUMBER} limit {SINGLES}"
        ).fetchall()
        into = f"insert into {stock.sql} ({stock.listed}) overriding system value"
        values = ", ".join(["%s"] * len(stock.columns))
        yield Statements(
            event,
            f"{into} values ({values})",
            f"{into} select {stock.listed} from {ASIDE} where {NUMBER} <= %s",
            _texts(rows),
        )
        return
    rows = connection.execute(f"select place::text from {PLACES} order by n limit {SINGLES}").fetchall()
    one = "where ctid = %s::pg_catalog.tid"
    several = f"where ctid = any(array(select place from {PLACES} where n <= %s))"
    if event == "DELETE":
        delete = f"delete from only {stock.sql}"
        yield Statements(event, f"{delete} {one}", f"{delete} {several}", _texts(rows))
        return
    types: dict[str, str] = dict(
        connection.execute(
            "select a.attname::text, pg_catalog.format_type(a.atttypid, null) from pg_catalog.pg_attribute as a"
            " where a.attrelid = pg_catalog.to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum",
            (stock.sql,),
        ).fetchall()
    )
    names = of or stock.columns
    changes = [f"{ident(name)} = {ident(name)}" for name in names[:1]]
    changes += [
        f"{ident(n)} = {_OTHER[types[n]].format(c=ident(n))}" for n in names if types.get(n) in _OTHER
    ]
    for change in changes:
        update = f"update only {stock.sql} set {change}"
        yield Statements(event, f"{update} {one}", f"{update} {several}", _texts(rows))


def _texts(rows: list[TupleRow]) -> tuple[tuple[str | None, ...], ...]:
    return tuple(tuple(row) for row in rows)
