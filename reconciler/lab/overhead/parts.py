"""Which partition stands for a partitioned table on the bench: rows are put there directly, and its copy of a row-level trigger fires.

PostgreSQL gives every partition a copy of each row-level trigger, of the same name (manual: CREATE TRIGGER, notes). A trigger for each
statement fires for the table that is named, so no partition has it.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident

_LEAVES = """
select n.nspname::text, c.relname::text
  from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(%s)) as t join pg_catalog.pg_class as c on c.oid = t.relid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where t.isleaf and c.relkind = 'r' order by pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', 1, 2
"""


def leaves(connection: psycopg.Connection[TupleRow], table: ObjectId) -> tuple[ObjectId, ...]:
    """The partitions that hold rows, default ones last; foreign ones are left out."""
    rows = connection.execute(_LEAVES, (ident(table.schema, table.name),)).fetchall()
    return tuple(ObjectId("table", schema, name) for schema, name in rows)
