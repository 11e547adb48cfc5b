"""What is kept of what was dropped: the registry of the schema `reconciler_quarantine`, read.

Promises an empty answer, and no error, where nothing was ever kept. Never changes anything, and shows names and numbers, no row.
"""

from __future__ import annotations

from datetime import UTC

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.model import ObjectId, Quarantined

Connection = psycopg.Connection[TupleRow]
SCHEMA = "reconciler_quarantine"

_THERE = f"""
select pg_catalog.has_schema_privilege(n.oid, 'usage'), pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)),
       pg_catalog.quote_ident(current_user)
  from pg_catalog.pg_namespace as n
  join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = 'kept' and c.relkind = 'r'
 where n.nspname = '{SCHEMA}'
"""
_READ = f"""
select k.id, k.kind, k.schema, k.name, k.part, k.kept_as, k.kept_at, k.kept_by, k.rows, coalesce(k.held, ''),
       case when c.relkind in ('r', 'p', 'S') then coalesce((select sum(pg_catalog.pg_total_relation_size(t.relid))
         from pg_catalog.pg_partition_tree(c.oid) as t), pg_catalog.pg_total_relation_size(c.oid)) else 0 end
  from {SCHEMA}.kept as k
  left join pg_catalog.pg_class as c on c.relname = k.kept_as and c.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace
   and not c.relispartition
 where k.kind <> 'name'
 order by k.kept_at, k.id
"""


def tags(connection: Connection) -> frozenset[str]:
    """The tags of the plans that keep something; none where this role may not look."""
    there = connection.execute(_THERE).fetchone()
    if there is None or not there[0]:
        return frozenset()
    found = connection.execute(f"select distinct tag from {SCHEMA}.kept order by tag").fetchall()
    return frozenset(str(tag) for (tag,) in found)


def kept(connection: Connection) -> tuple[Quarantined, ...]:
    """Everything that is kept, oldest first. A partition counts with its table. Raises Stalled when this role may not look."""
    there = connection.execute(_THERE).fetchone()
    if there is None:
        return ()
    allowed, owner, me = there
    if not allowed:
        raise Stalled(
            f"only {owner} may see what is kept in schema {SCHEMA}",
            hint=f"connect as that role, or let it: grant {owner} to {me};",
        )
    return tuple(
        Quarantined(
            ObjectId(kind, schema, name, part), kept_as, at.astimezone(UTC).isoformat(timespec="seconds"), by, rows, int(size), held,
            number,
        )
        for number, kind, schema, name, part, kept_as, at, by, rows, held, size in connection.execute(_READ).fetchall()
    )  # fmt: skip
