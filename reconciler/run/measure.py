"""What one statement does to the relations around it, measured from inside its own transaction.

Knows `pg_locks`, relfilenodes and the counters of the running transaction. Promises a few short queries per
statement, no matter how many tables there are, and no side effect. Measures relations that existed before:
what the statement itself creates cannot block anybody. Never estimates.
"""

from __future__ import annotations

import time

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import Measured, Statement
from reconciler.run.locks import Touched, strongest, taken

# The cursor is opened before the statement and read after it. Its snapshot is the one of its opening (manual,
# DECLARE: cursors are insensitive), so pg_class shows the relations as they were: names, files, and nothing
# that is new. Its functions run when it is read, so that locks, counters and pg_relation_filenode are those
# of afterwards. A dropped relation is still seen here, with the lock that dropped it.
_OPEN = """
declare reconciler_look no scroll cursor without hold for
select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, i.indrelid::int8, l.modes,
       c.relfilenode is distinct from pg_catalog.pg_relation_filenode(c.oid)
         and pg_catalog.pg_relation_filenode(c.oid) is not null,
       pg_catalog.pg_stat_get_xact_tuples_returned(c.oid)
  from (select k.relation, pg_catalog.array_agg(k.mode) as modes
          from pg_catalog.pg_locks k
         where k.pid = pg_catalog.pg_backend_pid() and k.locktype = 'relation' and k.granted
         group by k.relation) l
  join pg_catalog.pg_class c on c.oid = l.relation
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_index i on i.indexrelid = c.oid
 where c.relkind in ('r', 'p', 'm', 'v', 'f', 'S', 'i', 'I')
   and c.relpersistence <> 't'
   and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
 order by c.oid
"""

_HELD = """
select k.relation::int8, pg_catalog.array_agg(k.mode)
  from pg_catalog.pg_locks k
 where k.pid = pg_catalog.pg_backend_pid() and k.locktype = 'relation' and k.granted
 group by k.relation
 order by k.relation
"""

# The counters also hold what earlier transactions of this session have not yet reported, so tables that are
# not locked can have one. Called directly the function is a hash look-up; the view over it would be a join.
_COUNTED = """
select c.oid::int8, pg_catalog.pg_stat_get_xact_tuples_returned(c.oid)
  from pg_catalog.pg_class c
 where c.relkind in ('r', 'm') and c.oid >= 16384
   and pg_catalog.pg_stat_get_xact_tuples_returned(c.oid) > 0
 order by c.oid
"""


def measured(connection: psycopg.Connection[TupleRow], statement: Statement, *, sql: str = "") -> Measured:
    """Executes `statement` and reports the locks it newly took or strengthened, rewrites, scans and seconds.

    Runs inside the transaction that the caller opened (outside one nothing would be left to see). Plain
    reading locks (ACCESS SHARE) are left out. `sql` replaces the statement's text where placeholders were
    resolved. PostgreSQL's errors pass through.
    """
    held = {oid: strongest(modes) for oid, modes in connection.execute(_HELD).fetchall()}
    counted: dict[int, int] = dict(connection.execute(_COUNTED).fetchall())
    connection.execute(_OPEN)
    began = time.perf_counter()
    connection.execute((sql or statement.sql).encode(), prepare=False)
    seconds = time.perf_counter() - began
    rows = connection.execute("fetch all from reconciler_look").fetchall()
    connection.execute("close reconciler_look")
    touched = [
        Touched(
            oid, f"{schema}.{name}", kind, table, strongest(modes), held.get(oid, -1), rewritten,
            kind in ("r", "m") and returned > counted.get(oid, 0),
        )
        for oid, schema, name, kind, table, modes, rewritten, returned in rows
    ]  # fmt: skip
    return Measured(
        taken(touched),
        tuple(sorted(one.name for one in touched if one.rewritten and one.kind in ("r", "m"))),
        tuple(sorted(one.name for one in touched if one.scanned)),
        seconds,
    )
