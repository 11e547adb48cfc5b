"""Which row of PostgreSQL's catalogs each object is: what has the same address before and after is the same object.

Addresses are OIDs of one database and mean nothing in another. Reads, and nothing else.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from reconciler.catalog.kinds import REGISTRY
from reconciler.catalog.scope import Scope
from reconciler.model import ObjectId

Address = tuple[int, int, int]
"""(classid, objid, subid) as in pg_depend."""

_INNER = {
    "enum_value": "select 'pg_catalog.pg_enum'::pg_catalog.regclass::pg_catalog.oid, e.oid, 0, n.nspname::text,"
    " t.typname::text, e.enumlabel::text from pg_catalog.pg_enum as e join pg_catalog.pg_type as t on t.oid = e.enumtypid"
    " join pg_catalog.pg_namespace as n on n.oid = t.typnamespace where {scope}",
    "attribute": "select 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, c.oid, a.attnum::int, n.nspname::text,"
    " c.relname::text, a.attname::text from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid"
    " join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where c.relkind = 'c' and not a.attisdropped and {scope}",
}
"""Parts that are no facts of their own, but have a name that can change."""


def addresses(connection: psycopg.Connection[Any], scope: Scope) -> dict[ObjectId, Address]:
    """Every object in scope, with values of enums and attributes of composite types. Asks for a connection in autocommit mode."""
    major = connection.info.server_version // 10000
    queries = {
        kind.name: f"select classid, objid, subid, schema, name, part from ({kind.read(scope, major)}) as k"
        for kind in REGISTRY
    }
    queries |= {kind: query.format(scope=scope.sql("n.nspname")) for kind, query in _INNER.items()}
    found: dict[ObjectId, Address] = {}
    with connection.transaction():
        connection.execute("set local search_path to ''")
        for kind, query in queries.items():
            rows = connection.cursor(row_factory=tuple_row).execute(query.encode()).fetchall()
            found |= {ObjectId(kind, row[3], row[4], row[5]): (row[0], row[1], row[2]) for row in rows}
    return found
