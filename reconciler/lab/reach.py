"""Which tables the transactions of a race read and write: measured, one after another in each order, and rolled back.

A table that the race only appends to, that nobody reads meanwhile and whose unique keys are all made by defaults needs no gate: rows put
there in another order are the same rows, so its steps commute with all others (a reduction by independence, as in partial-order
methods). What a branch reads that is taken in a race alone is not seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.lab.gates import SCHEMA
from reconciler.lab.material import prepared
from reconciler.lab.saved import makes
from reconciler.lab.values import Actor, Race
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.shadow import footprint

Connection = psycopg.Connection[TupleRow]

_UNIQUE = """
select i.indexrelid::bigint from pg_catalog.pg_index as i
 where i.indrelid = %s::oid and (i.indisunique or i.indisexclusion) order by 1
"""
_MADE = """
select coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), coalesce(a.attidentity::text, '')
  from pg_catalog.pg_index as i cross join lateral pg_catalog.unnest(i.indkey::int2[]) as k (attnum)
  left join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum and k.attnum > 0
  left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where i.indexrelid = %s::oid order by k.attnum
"""
_ABOVE = """
with recursive up (oid) as (
  select i.inhparent from pg_catalog.pg_inherits as i where i.inhrelid = any(%s::oid[])
  union select i.inhparent from pg_catalog.pg_inherits as i join up on i.inhrelid = up.oid)
select n.nspname::text, c.relname::text from up join pg_catalog.pg_class as c on c.oid = up.oid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """`written` are the tables whose rows make up the outcome, `gated` those before whose writing a session can be stopped, `others` the
    tables that nothing writes while one transaction comes after another."""

    written: tuple[ObjectId, ...]
    gated: tuple[ObjectId, ...]
    others: tuple[ObjectId, ...] = ()


def reach(database: Url, race: Race) -> Reach:
    """Raises Stalled when a transaction cannot run alone."""
    touched: dict[int, footprint.Touched] = {}
    with connect(database, application_name="reconciler lab") as session:
        watch = footprint.watch(session)
        for order in permutations(race.actors):
            session.execute("begin")
            with footprint.touching(session, watch) as seen:
                for place, actor in enumerate(order):
                    _tried(session, actor, race, alone=place == 0)
            session.execute("rollback")
            for one in seen:
                if one.relation.kind == "table":
                    touched[one.oid] = _more(touched.get(one.oid), one)
        written = {oid: one for oid, one in touched.items() if one.written}
        open_ = {oid: one for oid, one in written.items() if not appended(session, one)}
        above = session.execute(_ABOVE, (list(open_),)).fetchall()
    parents = {ObjectId("table", schema, name) for schema, name in above}
    gated = {one.relation for one in open_.values()} | parents
    everything = {id for id, _ in watch.relations.values() if id.kind == "table" and id.schema != SCHEMA}
    changed = {one.relation for one in written.values()}
    return Reach(tuple(sorted(changed)), tuple(sorted(gated)), tuple(sorted(everything - changed)))


def reads(connection: Connection, actor: Actor, given: Sequence[str]) -> tuple[int, ...]:
    """The tables, by OID, of which a transaction reads anything. It must be able to run alone; it is rolled back."""
    watch = footprint.watch(connection)
    with connection.transaction(force_rollback=True):
        prepared(connection, given)
        with footprint.touching(connection, watch) as seen:
            for statement in (*actor.first, *actor.statements):
                connection.execute(statement.encode())
    return tuple(one.oid for one in seen if one.scans and one.relation.kind == "table")


def _more(known: footprint.Touched | None, one: footprint.Touched) -> footprint.Touched:
    if known is None:
        return one
    return footprint.Touched(
        one.relation, one.oid, known.scans + one.scans, known.read + one.read, known.inserted + one.inserted,
        known.updated + one.updated, known.deleted + one.deleted, known.replaced or one.replaced,
    )  # fmt: skip


def appended(session: Connection, one: footprint.Touched) -> bool:
    """Whether rows were put there and nothing else, and two such rows can never meet."""
    if one.updated or one.deleted or one.replaced or one.scans:
        return False
    for (index,) in session.execute(_UNIQUE, (one.oid,)).fetchall():
        columns = session.execute(_MADE, (index,)).fetchall()
        if not any(identity or makes(default) for default, identity in columns):
            return False
    return True


def _tried(session: Connection, actor: Actor, race: Race, *, alone: bool) -> None:
    session.execute("savepoint one")
    try:
        for statement in (*actor.first, *actor.statements):
            session.execute(statement.encode())
    except psycopg.Error as error:
        wrong = error.sqlstate or ""
        if alone and wrong.startswith("42") and wrong != "42501":
            raise Stalled(f"{race.name}: {actor.name} cannot run alone: {error}") from None
        session.execute("rollback to one")
    session.execute("reset role")
