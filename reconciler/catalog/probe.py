"""Whether anything moved in this database since the last look, without reading a definition.

Every row of a catalog carries the transaction that wrote it (xmin). Number, maximum and a hash of all of them change with
every DDL statement, and with nothing else but temporary tables, TRUNCATE and REINDEX, which are false alarms, not misses.
What the server's databases share (roles, their names and memberships, tablespaces, settings) is part of the value by content.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import psycopg

from reconciler.catalog.kinds import foreign_options
from reconciler.catalog.kinds import reading as r

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
    # A catalog whose xmin only a superuser may see: what everybody may see of it, without secrets.
    "select (pg_catalog.hashtext(pg_catalog.concat(m.umid, m.srvid, m.usename, "
    + foreign_options.reading("m.umoptions", "''")
    + ")) & 2147483647)::text::xid from pg_catalog.pg_user_mappings as m",
]

_AROUND = (
    "select r::text from pg_catalog.pg_roles as r",
    "select m::text from pg_catalog.pg_auth_members as m",
    "select pg_catalog.concat_ws(':', t.oid, t.spcname) from pg_catalog.pg_tablespace as t",
    "select d::text from pg_catalog.pg_shdescription as d",
    "select l::text from pg_catalog.pg_shseclabel as l",
    f"select g::text from pg_catalog.pg_db_role_setting as g where g.setdatabase in (0, {r.HERE})",
    "select pg_catalog.concat_ws(':', b.oid, b.datname, b.datdba, b.encoding, b.datcollate, b.datctype, b.datacl)"
    f" from pg_catalog.pg_database as b where b.oid = {r.HERE}",
)
"""What all databases of a server share and a snapshot still shows: the names of roles in owners, grants and policies, for
one. By content, since these catalogs' rows are few. Without what VACUUM changes (datfrozenxid)."""
_SUBSCRIPTION = (
    "oid", "subname", "subowner", "subenabled", "subbinary", "substream", "subslotname", "subsynccommit",
    "subpublications",
)  # fmt: skip
_SUBSCRIPTION_SINCE = {
    15: ("subtwophasestate", "subdisableonerr"), 16: ("subpasswordrequired", "subrunasowner", "suborigin"),
    17: ("subfailover",),
}  # fmt: skip


@lru_cache(maxsize=16)
def question(major: int) -> str:
    """The query: number, maximum and hash of what wrote this database's own rows, and a hash of what is around it.

    Grouped first: a transaction writes many rows, and reading its number as text costs more than all the rest.
    """
    columns = [
        *_SUBSCRIPTION,
        *(c for since, more in _SUBSCRIPTION_SINCE.items() if since <= major for c in more),
    ]
    subscription = (
        f"select pg_catalog.concat_ws(':', {', '.join(f's.{c}' for c in columns)}) from pg_catalog.pg_subscription as s"
        f" where s.subdbid = {r.HERE}"
    )
    around = " || ".join(
        f"coalesce((select pg_catalog.md5(pg_catalog.string_agg(a.t, '|' order by a.t collate \"C\")) from ({part}) as a(t)), '-')"
        for part in (*_AROUND, subscription)
    )
    return (
        "select sum(m.rows)::text, max(m.xmin::text::bigint), sum(pg_catalog.hashtext(m.xmin::text) * m.rows)::text,"
        f" pg_catalog.md5({around}) from (select p.xmin, count(*) as rows from ({' union all '.join(_PARTS)}) as p"
        " group by p.xmin) as m"
    )


def probe(connection: psycopg.Connection[Any]) -> str:
    """An opaque value; two equal values of the same database mean that nothing was changed between them."""
    row = connection.execute(question(connection.info.server_version // 10000)).fetchone()
    return ":".join(str(value) for value in row or ())


_WHERE = """
select d.oid::text, d.datname::text, pg_catalog.pg_postmaster_start_time()::text, pg_catalog.version(),
       (pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint >> 32)::text
  from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()
"""
_CONTROL = (
    "select s.system_identifier::text, k.timeline_id::text"
    " from pg_catalog.pg_control_system() as s cross join pg_catalog.pg_control_checkpoint() as k"
)


def identity(connection: psycopg.Connection[Any]) -> str:
    """Which database this is, as long as its server runs: what a probe's value must be read together with.

    Relies on this: as long as a server runs, it gives no transaction number twice, within one epoch of 2³² of them. So
    equal numbers in two looks mean equal rows when both looks saw the same run (start time, to the microsecond) of the same
    cluster (system identifier, timeline) in the same epoch, in the same database (OID: one dropped and made again has
    another). A backup restored, a disk set back or a standby promoted is another run or timeline, however many numbers
    it gives out again. One thing escapes: with `synchronous_commit` off, a crash of a backend may take back a DDL transaction
    whose number the same run then gives to another that writes as many rows. The connection must be in autocommit mode.
    """
    found = [str(value) for value in connection.execute(_WHERE).fetchone() or ()]
    try:
        found += [str(value) for value in connection.execute(_CONTROL).fetchone() or ()]
    except psycopg.Error:  # some clouds keep it to themselves; the start time still tells runs apart
        found.append("-")
    return ":".join(found)
