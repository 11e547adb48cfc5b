"""Whether anything moved in this database since the last look, without reading a definition.

Every row of a catalog carries the transaction that wrote it (xmin). Number, maximum and a hash of all of them change with
every DDL statement, and with nothing else but temporary tables, TRUNCATE and REINDEX, which are false alarms, not misses.
"""

from __future__ import annotations

from typing import Any

import psycopg

from reconciler.catalog.kinds import foreign_options

_OWN = (
    "class",
    "proc",
    "type",
    "constraint",
    "rewrite",
    "operator",
    "opclass",
    "opfamily",
    "cast",
    "conversion",
    "collation",
)
_BY_KEY = {
    "attribute": "attrelid",
    "index": "indexrelid",
    "description": "objoid",
    "depend": "objid",
    "seclabel": "objoid",
}
_ALL = (
    "attrdef", "trigger", "policy", "enum", "namespace", "sequence", "default_acl", "event_trigger", "publication",
    "publication_rel", "statistic_ext", "aggregate", "amop", "amproc", "ts_config", "ts_dict", "ts_config_map",
    "ts_parser", "ts_template", "extension", "foreign_server", "foreign_table", "foreign_data_wrapper", "user_mapping",
    "inherits", "init_privs", "range", "language", "transform", "am", "subscription", "partitioned_table",
)  # fmt: skip

_PARTS = [
    *(f"select xmin from pg_catalog.pg_{name} where oid >= 16384" for name in _OWN),
    *(f"select xmin from pg_catalog.pg_{name} where {key} >= 16384" for name, key in _BY_KEY.items()),
    *(
        f"select xmin from pg_catalog.pg_{name}"
        for name in _ALL
        if name not in ("user_mapping", "subscription")
    ),
    "select xmin from pg_catalog.pg_description where objoid = 2200",
    # Grants on the system's own objects.
    *(
        f"select xmin from pg_catalog.pg_{name} where {key} < 16384 and {acl} is not null"
        for name, key, acl in (
            ("class", "oid", "relacl"),
            ("proc", "oid", "proacl"),
            ("type", "oid", "typacl"),
            ("attribute", "attrelid", "attacl"),
        )
    ),
    # Two catalogs whose xmin only a superuser may see: what everybody may see of them, without secrets.
    *(
        f"select (pg_catalog.hashtext({seen}) & 2147483647)::text::xid from pg_catalog.{source}"
        for seen, source in (
            (
                "pg_catalog.concat(m.umid, m.srvid, m.usename, "
                + foreign_options.reading("m.umoptions", "''")
                + ")",
                "pg_user_mappings as m",
            ),
            (
                "pg_catalog.concat(s.oid, s.subname, s.subowner, s.subbinary, s.substream, s.subslotname,"
                " s.subsynccommit, s.subpublications)",
                "pg_subscription as s where s.subdbid = (select d.oid from pg_catalog.pg_database as d where"
                " d.datname = pg_catalog.current_database())",
            ),
        )
    ),
]

PROBE = (
    "select sum(m.rows)::text, max(m.xmin::text::bigint), sum(pg_catalog.hashtext(m.xmin::text) * m.rows)::text from ("
    "select p.xmin, count(*) as rows from (" + " union all ".join(_PARTS) + ") as p group by p.xmin) as m"
)
"""Grouped first: a transaction writes many rows, and reading its number as text costs more than all the rest."""


def probe(connection: psycopg.Connection[Any]) -> str:
    """An opaque value; two equal values of the same database mean that nothing was changed between them."""
    row = connection.execute(PROBE).fetchone()
    return ":".join(str(value) for value in row or ())
