"""The rest of an interrupted CREATE INDEX CONCURRENTLY: an index that exists, costs writes and serves no
query.

Knows that `if not exists` would take such an index for a finished one. Promises to remove only an index
that is still invalid while nobody builds on its table. Never touches a valid index.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.run.nature import ConcurrentBuild

# An index lives in its table's schema; its name in CREATE INDEX is never qualified. parse_ident folds and
# unquotes as the parser does. indisready is false too early in the build, so only indisvalid decides.
_FIND = """
select n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text
  from pg_catalog.pg_class t
  join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
  join pg_catalog.pg_index i on i.indrelid = t.oid
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where t.oid = pg_catalog.to_regclass(%(table)s)
   and c.relname = (pg_catalog.parse_ident(%(index)s))[1]
   and not i.indisvalid
 order by c.oid
"""


def drop_invalid(connection: psycopg.Connection[TupleRow], build: ConcurrentBuild) -> bool:
    """Drops the index that `build` would create when an earlier build left it invalid. Tells whether it did.

    `connection` is in autocommit and idle; its lock_timeout applies. Another session that is building right
    now also shows an invalid index: SHARE UPDATE EXCLUSIVE on the table waits for it to end, then we look
    again.
    """
    names = {"table": build.table, "index": build.index}
    found = connection.execute(_FIND, names).fetchone()
    if found is None:
        return False
    table = ident(found[2], found[3])
    with connection.transaction():
        connection.execute(f"lock table {table} in share update exclusive mode".encode())
        still = connection.execute(_FIND, names).fetchone()
    if still is None:
        return False
    connection.execute(f"drop index concurrently if exists {ident(still[0], still[1])}".encode())
    return True
