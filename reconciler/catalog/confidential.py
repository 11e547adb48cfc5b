"""Whether two databases hold the same secrets, without anybody reading one.

A snapshot says that a foreign server has a password, never which. Here the servers themselves hash each secret with a salt
that is thrown away, so that two databases can be told apart by a person who is shown neither. Promises that no value and
nothing it could be found from leaves this process; never says which of two values is the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from reconciler.catalog.kinds.foreign_options import HIDDEN, HIDDEN_VALUE
from reconciler.catalog.kinds.reading import HERE
from reconciler.catalog.kinds.subscription import SECRET_CONNECTION
from reconciler.catalog.scope import Scope
from reconciler.pg import literal
from reconciler.run.placeholders import STANDIN

Hashes = Mapping[str, str]
"""What holds the secret, in words → its salted hash."""

_HOLDERS = """
select 'foreign-data wrapper ' || pg_catalog.quote_ident(w.fdwname), w.fdwoptions, null::text
  from pg_catalog.pg_foreign_data_wrapper as w
union all
select 'server ' || pg_catalog.quote_ident(s.srvname), s.srvoptions, null from pg_catalog.pg_foreign_server as s
union all
select 'user mapping of ' || case when m.umuser = 0 then 'public' else pg_catalog.quote_ident(m.usename) end || ' on server '
       || pg_catalog.quote_ident(m.srvname), m.umoptions, null
  from pg_catalog.pg_user_mappings as m
union all
select 'foreign table ' || t.ftrelid::pg_catalog.regclass::text, t.ftoptions, n.nspname
  from pg_catalog.pg_foreign_table as t join pg_catalog.pg_class as c on c.oid = t.ftrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
union all
select 'column ' || c.oid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname), a.attfdwoptions, n.nspname
  from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where a.attfdwoptions is not null
"""
_CONNECTIONS = f"""
union all
select 'subscription ' || pg_catalog.quote_ident(s.subname), array['connection_string=' || s.subconninfo], null
  from pg_catalog.pg_subscription as s where s.subdbid = {HERE} and {SECRET_CONNECTION}
"""


def hashes(connection: psycopg.Connection[Any], scope: Scope, salt: str) -> dict[str, str]:
    """The secrets in scope that this role may see. The connection's search_path is left alone; names are printed in full."""
    where = f"h.schema is null or {scope.sql('h.schema')}" if scope.outside else scope.sql("h.schema")
    with connection.transaction():
        connection.execute("set local search_path to ''")
        rows = connection.execute(
            "select 'option ' || o.option_name || ' of ' || h.holder,"
            " pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(%s || o.option_value, 'UTF8')), 'hex')"
            f" from ({_HOLDERS}{_CONNECTIONS.replace('%', '%%') if scope.connections else ''}) as h (holder, options, schema),"
            " pg_catalog.pg_options_to_table(h.options) as o"
            f" where ({where}) and (o.option_name ~* {_quoted(HIDDEN)} or o.option_value ~ {_quoted(HIDDEN_VALUE)})"
            f" and o.option_value <> {_quoted(STANDIN)} and o.option_value !~ '^\\$\\{{[A-Z0-9_]+\\}}$' order by 1",
            (salt,),
        ).fetchall()
    return {str(name): str(value) for name, value in rows}


def different(before: Hashes, after: Hashes) -> tuple[str, ...]:
    """The secrets that both sides have, and that are not the same, in words."""
    return tuple(
        f"the {name}, whose value differs and is shown to nobody: set it by hand"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    )


def _quoted(text: str) -> str:
    return literal(text).replace("%", "%%")
