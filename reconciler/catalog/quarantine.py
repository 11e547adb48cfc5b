"""What is kept of what was dropped: the registry of the schema `reconciler_quarantine`, read.

Promises an empty answer, and no error, where nothing was ever kept, and no empty one to a role that may not look. Never changes
anything, and shows names and numbers, no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

import psycopg
from psycopg.rows import TupleRow

from reconciler.errors import Stalled
from reconciler.model import ObjectId, Quarantined

Connection = psycopg.Connection[TupleRow]
SCHEMA = "reconciler_quarantine"

_THERE = f"""
select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select'),
       pg_catalog.quote_ident(r.rolname), r.rolsuper or pg_catalog.pg_has_role(r.oid, 'member'),
       pg_catalog.quote_ident(current_user)
  from pg_catalog.pg_namespace as n
  join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = 'kept' and c.relkind = 'r'
  join pg_catalog.pg_roles as r on r.oid = case when pg_catalog.has_schema_privilege(n.oid, 'usage') then c.relowner else n.nspowner end
 where n.nspname = '{SCHEMA}'
"""
_READ = f"""
select k.id, k.kind, k.schema, k.name, k.part, k.kept_as, k.kept_at, k.kept_by, k.rows, coalesce(k.held, ''),
       case when c.relkind in ('r', 'p', 'S') then coalesce((select sum(pg_catalog.pg_total_relation_size(t.relid))
         from pg_catalog.pg_partition_tree(c.oid) as t), pg_catalog.pg_total_relation_size(c.oid), 0) else 0 end
  from {SCHEMA}.kept as k
  left join pg_catalog.pg_class as c on c.relname = k.kept_as and c.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace
   and not c.relispartition
 where k.kind <> 'name'
 order by k.kept_at, k.id
"""

_EDGES = f"""
recursive edge (above, below) as (
  select a.relname::text, b.relname::text
    from pg_catalog.pg_inherits as i
    join pg_catalog.pg_class as a on a.oid = i.inhparent
    join pg_catalog.pg_class as b on b.oid = i.inhrelid
   where a.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace and b.relnamespace = a.relnamespace
   union
  select a.relname::text, b.relname::text
    from pg_catalog.pg_depend as d
    join pg_catalog.pg_class as a on a.oid = d.refobjid
    join pg_catalog.pg_class as b on b.oid = d.objid and b.relkind = 'S'
   where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = d.classid and d.deptype in ('a', 'i')
     and a.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace and b.relnamespace = a.relnamespace
   union
  select a.relname::text, b.relname::text
    from pg_catalog.pg_attrdef as f
    join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and d.objid = f.oid
     and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    join pg_catalog.pg_class as a on a.oid = f.adrelid
    join pg_catalog.pg_class as b on b.oid = d.refobjid and b.relkind = 'S'
   where a.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace and b.relnamespace = a.relnamespace
   union
  select a.relname::text, t.typname::text
    from pg_catalog.pg_class as a
    join pg_catalog.pg_attribute as c on c.attrelid = a.oid and not c.attisdropped
    join pg_catalog.pg_type as own on own.oid = c.atttypid
    join pg_catalog.pg_type as t on t.oid in (own.oid, own.typelem)
    left join pg_catalog.pg_class as r on r.oid = t.typrelid
   where a.relnamespace = '{SCHEMA}'::pg_catalog.regnamespace and t.typnamespace = a.relnamespace
     and coalesce(r.relkind = 'c', true)
)"""
"""What stands below what, by the names here: partitions and children, and the sequences and types of a table."""
_BELOW = f"""
with {_EDGES}, reached (name) as (
  select pg_catalog.unnest(%s::text[]) collate "C"
   union
  select e.below from edge as e join reached as r on r.name = e.above
)
select name from reached order by 1
"""
_ABOVE = f"""
with {_EDGES}, reached (name) as (
  select %s::text collate "C"
   union
  select e.above from edge as e join reached as r on r.name = e.below
)
select name from reached order by 1
"""
_LOCKED = f"""
select k.id, k.kind, k.schema, k.name, k.part, k.kept_as, k.kept_at, k.kept_by, k.rows, coalesce(k.held, ''), 0
  from {SCHEMA}.kept as k
 where k.kept_as = any(%s) and k.kind <> 'name'
 order by k.id
   for update of k
"""


def below(connection: Connection, names: Iterable[str]) -> frozenset[str]:
    """These names and those of all that stands below them: who holds a table holds its rows, wherever they are."""
    return frozenset(str(name) for (name,) in connection.execute(_BELOW, (sorted(names),)).fetchall())


def above(connection: Connection, name: str) -> frozenset[str]:
    """This name and those of all that it stands below: what holds one of them holds it."""
    return frozenset(str(name) for (name,) in connection.execute(_ABOVE, (name,)).fetchall())


def locked(connection: Connection, names: Iterable[str]) -> tuple[Quarantined, ...]:
    """What the registry says of these names now; nobody else holds, releases or forgets it until this transaction ends.

    Locked in the order of their numbers, so that two who do so never wait for each other. Sizes are not asked for.
    """
    return tuple(_one(row) for row in connection.execute(_LOCKED, (sorted(names),)).fetchall())


def tags(connection: Connection) -> frozenset[str]:
    """The tags of the plans that keep something. Raises Stalled when this role may not look."""
    if not _opened(connection):
        return frozenset()
    found = connection.execute(f"select distinct tag from {SCHEMA}.kept order by tag").fetchall()
    return frozenset(str(tag) for (tag,) in found)


def kept(connection: Connection) -> tuple[Quarantined, ...]:
    """Everything that is kept, oldest first. A partition counts with its table. Raises Stalled when this role may not look."""
    if not _opened(connection):
        return ()
    return tuple(_one(row) for row in connection.execute(_READ).fetchall())


def _opened(connection: Connection) -> bool:
    """Whether there is a registry. Raises Stalled when there is something that this role may not see."""
    there = connection.execute(_THERE).fetchone()
    if there is None:
        return False
    allowed, owner, useless, me = there
    if not allowed:
        raise Stalled(
            f"only {owner} may see what is kept in schema {SCHEMA}: {me} may not",
            hint=f"connect as {owner}" + ("" if useless else f", or let {me} look: grant {owner} to {me};"),
        )
    return True


def _one(row: TupleRow) -> Quarantined:
    number, kind, schema, name, part, kept_as, at, by, rows, held, size = row
    when = at.astimezone(UTC).isoformat(timespec="seconds")
    return Quarantined(ObjectId(kind, schema, name, part), kept_as, when, by, rows, int(size), held, number)
