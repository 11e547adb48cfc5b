"""How large the tables of a target are, from what PostgreSQL knows already.

Knows the statistics of the catalogs and the sizes of files. Promises one short query that reads no row of any table and waits
for no lock for longer than a moment. The numbers are estimates: they choose the form of a plan, never its result.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg
from psycopg.rows import TupleRow

from reconciler.catalog.kinds.reading import in_scope
from reconciler.catalog.scope import Scope
from reconciler.model import ObjectId, Size

Connection = psycopg.Connection[TupleRow]

# reltuples is -1 for a table that was never analysed, and as old as the last analysis; the planner takes the density of then
# and the pages of now, and so do we. Without a density, pages full of rows of the columns' usual widths are assumed; what the
# statistics counted since is believed when it is more.
_SIZES = """
select case c.relkind when 'm' then 'materialized_view' else 'table' end, n.nspname::text, c.relname::text,
       greatest(
         case when c.reltuples >= 0 and c.relpages > 0 then c.reltuples / c.relpages * p.pages
              else p.pages * 8168.0 / (28 + w.width) end,
         pg_catalog.pg_stat_get_live_tuples(c.oid))::int8,
       p.pages::int8 * pg_catalog.current_setting('block_size')::int8
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 cross join lateral (select {pages} as pages) as p
 cross join lateral (select coalesce(sum(case when a.attlen > 0 then a.attlen else 32 end), 0) as width
                       from pg_catalog.pg_attribute as a
                      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as w
 where c.relkind in ('r', 'm') and {scope}
 order by 1, 2, 3
"""
_NOW = """coalesce(pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8, 0)"""
_THEN = "c.relpages"


def sizes(connection: Connection, scope: Scope) -> Mapping[ObjectId, Size]:
    """By table and materialized view; a partitioned table has no rows of its own and is left out.

    `connection` is idle. Where somebody holds a table exclusively, the sizes are those of the last analysis.
    """
    for pages in (_NOW, _THEN):
        query = _SIZES.format(pages=pages, scope=in_scope(scope))
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '500ms'")
                rows = connection.execute(query.encode()).fetchall()
        except psycopg.errors.LockNotAvailable:
            continue
        return {ObjectId(kind, schema, name): Size(count, size) for kind, schema, name, count, size in rows}
    return {}
