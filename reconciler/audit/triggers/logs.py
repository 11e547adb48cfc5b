"""Which tables are logs that triggers keep, and who else may write them.

Knows names, columns, grants and policies of one database. A log is a table whose rows triggers insert and that is called like one, or that holds what
changed beside the operation. Promises no more than that: whether a log can be tampered with is shown by trying.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from psycopg import Connection

from reconciler.audit.triggers.wiring import Wiring
from reconciler.model import ObjectId
from reconciler.pg import ident

_CALLED = re.compile(
    r"(^|_)(audit|audits|log|logs|history|journal|trail|changelog|changes|auditlog|activity|activities|versions|revisions)(_|$)",
    re.I,
)
_OPERATION = re.compile(r"^(op|operation|action|tg_op|event|change_type|command)$", re.I)
_IMAGE = re.compile(
    r"^(old|new|before|after)(_|$)|^(row_data|changed|changes|diff|snapshot|record|payload|data)$", re.I
)


def called_like_one(table: ObjectId, columns: Sequence[str]) -> bool:
    """Whether name or columns speak for a log."""
    if _CALLED.search(table.name):
        return True
    return any(_OPERATION.search(name) for name in columns) and any(_IMAGE.search(name) for name in columns)


def logs(wiring: Wiring) -> frozenset[ObjectId]:
    """The logs that triggers of this database keep."""
    return frozenset(
        effect.table
        for trigger in wiring.triggers
        for effect in wiring.effects(trigger.function)
        if effect.verb == "insert"
        and effect.table != trigger.table
        and called_like_one(effect.table, wiring.columns[effect.table])
    )


_WRITERS = """
select r.rolname, p.privilege
from pg_catalog.pg_class as c
join pg_catalog.pg_roles as o on o.oid = c.relowner
cross join pg_catalog.pg_roles as r
cross join (values ('insert'), ('update'), ('delete'), ('truncate')) as p (privilege)
where c.oid = %s::pg_catalog.regclass
  and not r.rolsuper and r.rolname !~ '^pg_' and not pg_catalog.pg_has_role(r.oid, c.relowner, 'member')
  and case when p.privilege in ('insert', 'update') then pg_catalog.has_any_column_privilege(r.oid, c.oid, p.privilege)
           else pg_catalog.has_table_privilege(r.oid, c.oid, p.privilege) end
  and (not c.relrowsecurity or r.rolbypassrls or p.privilege = 'truncate' or exists (
    select from pg_catalog.pg_policy as y
    where y.polrelid = c.oid and y.polpermissive
      and y.polcmd in ('*', case p.privilege when 'insert' then 'a' when 'update' then 'w' else 'd' end)
      and (y.polroles = '{0}' or exists (
        select from pg_catalog.unnest(y.polroles) as g where pg_catalog.pg_has_role(r.oid, g, 'usage')))
  ))
order by p.privilege, r.rolname
"""


def writers(
    connection: Connection, tables: Iterable[ObjectId]
) -> Mapping[ObjectId, Mapping[str, tuple[str, ...]]]:
    """By table and privilege, the roles that may write beside its owner: granted, and not refused by a policy altogether."""
    found: dict[ObjectId, dict[str, tuple[str, ...]]] = {}
    for table in sorted(tables):
        allowed = found.setdefault(table, {})
        for role, privilege in connection.execute(_WRITERS, (ident(table.schema, table.name),)):
            allowed[privilege] = (*allowed.get(privilege, ()), role)
    return found
