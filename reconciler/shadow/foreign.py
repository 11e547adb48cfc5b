"""Foreign tables in scratch databases: a copy of one would read and write the real rows on the other server.

Promises that nothing that is done in a scratch database reaches a server through a wrapper that an extension brought: whoever
tries gets an error. What an extension brought is not compared, so the copy still equals the original. Passwords that a dump
brought along are overwritten: their values are not compared either.
"""

from __future__ import annotations

import psycopg

from reconciler.catalog.kinds.foreign_options import HIDDEN
from reconciler.errors import Stalled
from reconciler.pg import Url, connect, ident, literal
from reconciler.run.placeholders import STANDIN

_HANDLED = """
select w.fdwname, exists (select from pg_catalog.pg_foreign_table as t join pg_catalog.pg_foreign_server as s
                          on s.oid = t.ftserver where s.srvfdw = w.oid)
  from pg_catalog.pg_foreign_data_wrapper as w join pg_catalog.pg_depend as d
       on d.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass and d.objid = w.oid and d.deptype = 'e'
 where w.fdwhandler <> 0 order by 1
"""
_SECRETS = f"""
select h.holder, o.option_name
  from (select 'server ' || pg_catalog.quote_ident(s.srvname), s.srvoptions from pg_catalog.pg_foreign_server as s
        union all
        select 'user mapping for ' || case when m.umuser = 0 then 'public' else pg_catalog.quote_ident(m.usename) end
               || ' server ' || pg_catalog.quote_ident(m.srvname), m.umoptions from pg_catalog.pg_user_mappings as m
       ) as h (holder, options), pg_catalog.pg_options_to_table(h.options) as o
 where o.option_name ~* {literal(HIDDEN)} order by 1, 2
"""


def forgotten(database: Url) -> None:
    """Puts a stand-in in the place of each password."""
    with connect(database) as connection:
        for holder, option in connection.execute(_SECRETS.encode()).fetchall():
            connection.execute(f"alter {holder} options (set {ident(option)} {literal(STANDIN)})")


def cut_off(database: Url) -> None:
    """Raises Stalled where that is not permitted and there are foreign tables."""
    with connect(database) as connection:
        for name, used in connection.execute(_HANDLED).fetchall():
            try:
                connection.execute(f"alter foreign data wrapper {ident(name)} no handler")
            except psycopg.errors.InsufficientPrivilege as error:
                if used:
                    raise Stalled(
                        f"the foreign tables of {name} cannot be cut off on the shadow: rehearsing would touch the real rows",
                        hint="use --shadow embedded, or give a shadow as a superuser",
                    ) from error
