"""The foreign keys that refer to a kept table, and the rows that they would change or delete when rows of it go.

Promises to look and to count, no more. Knows the manual's referential actions (CREATE TABLE, REFERENCES).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.quarantine import SCHEMA
from reconciler.engine.custody import Obstacle, Refused, several
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key of `table`, whose rows are `source`: a partitioned table's are in its partitions.

    `equal` compares its columns, of `r`, with `k1`, `k2` … of `g`, which are the `columns` it refers to.
    """

    name: str
    table: str
    source: str
    kept: bool
    action: str
    columns: tuple[str, ...]
    equal: str


# A partition has a key of its own for each one that refers to its table: who reads of it looks for that of the whole table.
# A key that is not enforced (PostgreSQL 18) does nothing.
_KEYS = """
with recursive line (oid, top, above) as (
  select k.oid, k.oid, k.conparentid from pg_catalog.pg_constraint as k
   where k.contype = 'f' and k.confrelid = %s::pg_catalog.regclass
     and coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
   union all
  select l.oid, k.oid, k.conparentid from line as l join pg_catalog.pg_constraint as k on k.oid = l.above
)
select t.conname::text, n.nspname::text, c.relname::text, c.relkind = 'p', k.confdeltype::text,
       array(select a.attname::text from pg_catalog.unnest(k.confkey) with ordinality as p (number, place)
               join pg_catalog.pg_attribute as a on a.attrelid = k.confrelid and a.attnum = p.number order by p.place),
       (select pg_catalog.string_agg(pg_catalog.format('g.k%%s operator(%%I.%%s) r.%%I', p.place, s.nspname, o.oprname, a.attname), ' and '
                 order by p.place)
          from rows from (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.conpfeqop)) with ordinality as p (number, same, place)
          join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = p.number
          join pg_catalog.pg_operator as o on o.oid = p.same
          join pg_catalog.pg_namespace as s on s.oid = o.oprnamespace)
  from line as l
  join pg_catalog.pg_constraint as k on k.oid = l.oid
  join pg_catalog.pg_constraint as t on t.oid = l.top
  join pg_catalog.pg_class as c on c.oid = k.conrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where l.above = 0
 order by 2, 3, 1
"""
_ACTIONS = {
    "c": ("delete", "on delete cascade"),
    "n": ("change", "on delete set null"),
    "d": ("change", "on delete set default"),
}
"""What PostgreSQL does to the rows that refer to one that goes; where it is none of these they keep it from going."""


def keys(live: Connection, name: str) -> tuple[Key, ...]:
    """The keys that refer to the table of this name, its own among them."""
    return tuple(
        Key(
            key, ident(schema, table), ident(schema, table) if partitioned else f"only {ident(schema, table)}", schema == SCHEMA,
            action, tuple(columns), equal,
        )
        for key, schema, table, partitioned, action, columns, equal in live.execute(_KEYS, (name,)).fetchall()
    )  # fmt: skip


def require_kept(found: Iterable[Key]) -> None:
    """Raises Refused for a key of a living table, which is not to be locked, counted or changed."""
    for key in found:
        if not key.kept:
            raise Refused(
                Obstacle(
                    f"{key.table}, which is not kept, refers to it by foreign key {ident(key.name)}: drop that first"
                )
            )


def require_no_effect(live: Connection, name: str, condition: str, found: Iterable[Key]) -> None:
    """Raises Refused, with the key, when rows would go along or change with those of this table that meet the condition."""
    for key in found:
        if key.action not in _ACTIONS:
            continue
        listed = ", ".join(f"{ident(column)} as k{n}" for n, column in enumerate(key.columns, 1))
        row = live.execute(
            f"with gone as materialized (select tableoid as home, ctid as place, {listed} from only {name} where ({condition}))"
            f" select pg_catalog.count(*) from {key.source} as r"
            f" where exists (select from gone as g where {key.equal})"
            " and not exists (select from gone as g where g.home = r.tableoid and g.place = r.ctid)".encode(),
            binary=True,
        ).fetchone()
        count = row[0] if row else 0
        if count:
            verb, action = _ACTIONS[key.action]
            raise Refused(
                Obstacle(
                    f"foreign key {ident(key.name)} of {key.table} would {verb} {several(count)} as well ({action}): let the"
                    " condition meet what refers to these rows, too, or drop the key",
                    key=key.name,
                )
            )
