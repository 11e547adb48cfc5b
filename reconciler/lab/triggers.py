"""The triggers of a database, as far as an experiment must know them. Reads the catalog, and leaves out constraints' own and ours."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident

_TRIGGERS = """
select n.nspname::text, c.relname::text, c.oid::bigint, t.tgname::text, t.tgtype::int, t.tgdeferrable, t.tginitdeferred,
       fn.nspname::text, p.proname::text, p.oid::bigint, p.prosecdef, l.lanname::text, p.prosrc
  from pg_catalog.pg_trigger as t join pg_catalog.pg_class as c on c.oid = t.tgrelid
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace join pg_catalog.pg_proc as p on p.oid = t.tgfoid
  join pg_catalog.pg_namespace as fn on fn.oid = p.pronamespace join pg_catalog.pg_language as l on l.oid = p.prolang
 where not t.tgisinternal and t.tgenabled <> 'D' and t.tgparentid = 0 and n.nspname !~ '^pg_'
   and n.nspname not in ('information_schema', 'reconciler', 'reconciler_lab')
   and not exists (select from pg_catalog.pg_depend as d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      and d.objid = c.oid and d.deptype = 'e')
 order by 1, 2, 4
"""
# manual: pg_trigger.tgtype (catalog/pg_trigger.h)
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE, _INSTEAD = 1, 2, 4, 8, 16, 32, 64
_EVENTS = ((_INSERT, "insert"), (_UPDATE, "update"), (_DELETE, "delete"), (_TRUNCATE, "truncate"))


@dataclass(frozen=True, slots=True)
class Trigger:
    """`timing` is before, after or instead of; `events` in lower case; `function` is schema-qualified SQL, `source` its text."""

    id: ObjectId
    table: ObjectId
    relation: int
    timing: str
    events: tuple[str, ...]
    for_each_row: bool
    deferrable: bool
    deferred: bool
    function: str
    routine: int
    definer: bool
    language: str
    source: str


def read(connection: psycopg.Connection[TupleRow]) -> tuple[Trigger, ...]:
    """Enabled triggers that people made, those of partitioned tables once."""
    found = []
    for schema, table, relation, name, kind, deferrable, deferred, *rest in connection.execute(_TRIGGERS):
        function_schema, function, routine, definer, language, source = rest
        timing = "instead of" if kind & _INSTEAD else "before" if kind & _BEFORE else "after"
        found.append(
            Trigger(
                ObjectId("trigger", schema, table, name),
                ObjectId("table", schema, table),
                relation,
                timing,
                tuple(word for bit, word in _EVENTS if kind & bit),
                bool(kind & _ROW),
                deferrable,
                deferred,
                ident(function_schema, function),
                routine,
                definer,
                language,
                source,
            )
        )
    return tuple(found)
