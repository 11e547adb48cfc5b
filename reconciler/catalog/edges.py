"""Who needs whom, from pg_depend, in our identities instead of OIDs.

PostgreSQL records dependencies between catalog rows; some rows are not objects of ours but belong to one: a view's rule,
a table's row type, an index behind a constraint. Those are looked through (manual, chapter 53.18 "pg_depend").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.model import ObjectId

Address = tuple[int, int, int]
"""(classid, objid, objsubid) as in pg_depend."""

ALIASES = """
select 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid, r.oid, 0,
       'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, r.ev_class, 0
  from pg_catalog.pg_rewrite as r where r.rulename = '_RETURN' and r.oid >= 16384
union all
select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'pg_catalog.pg_class'::pg_catalog.regclass, t.typrelid, 0
  from pg_catalog.pg_type as t join pg_catalog.pg_class as c on c.oid = t.typrelid and c.relkind <> 'c'
 where t.oid >= 16384
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0, 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype, 0
  from pg_catalog.pg_class as c where c.relkind = 'c' and c.oid >= 16384
union all
select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'pg_catalog.pg_type'::pg_catalog.regclass, t.typelem, 0
  from pg_catalog.pg_type as t where t.typelem <> 0 and t.typlen = -1 and t.typcategory = 'A' and t.oid >= 16384
union all
select 'pg_catalog.pg_type'::pg_catalog.regclass, r.rngmultitypid, 0,
       'pg_catalog.pg_type'::pg_catalog.regclass, r.rngtypid, 0
  from pg_catalog.pg_range as r where r.rngtypid >= 16384
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, k.conindid, 0,
       'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0
  from pg_catalog.pg_constraint as k where k.contype in ('p', 'u', 'x') and k.conindid <> 0
union all
select 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, 0,
       'pg_catalog.pg_constraint'::pg_catalog.regclass, k.conparentid, 0
  from pg_catalog.pg_constraint as k join pg_catalog.pg_constraint as p on p.oid = k.conparentid and p.conrelid = k.conrelid
 where k.contype = 'f'
union all
select 'pg_catalog.pg_attrdef'::pg_catalog.regclass, d.oid, 0,
       'pg_catalog.pg_class'::pg_catalog.regclass, d.adrelid, d.adnum
  from pg_catalog.pg_attrdef as d join pg_catalog.pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum
 where a.attgenerated <> ''
union all
select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0,
       'pg_catalog.pg_constraint'::pg_catalog.regclass, t.tgconstraint, 0
  from pg_catalog.pg_trigger as t where t.tgisinternal and t.tgconstraint <> 0
union all
select 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0,
       'pg_catalog.pg_trigger'::pg_catalog.regclass, t.tgparentid, 0
  from pg_catalog.pg_trigger as t where t.tgparentid <> 0 and not t.tgisinternal
union all
select 'pg_catalog.pg_constraint'::pg_catalog.regclass, t.tgconstraint, 0,
       'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, 0
  from pg_catalog.pg_trigger as t where t.tgconstraint <> 0 and not t.tgisinternal
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, d.objid, 0, d.refclassid, d.refobjid, d.refobjsubid
  from pg_catalog.pg_depend as d join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
 where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype = 'i' and d.refobjsubid > 0
union all
select e.classid, e.objid, 0, e.refclassid, e.refobjid, 0
  from pg_catalog.pg_depend as e where e.deptype = 'e'
union all
select m.classid, m.objid, 0, m.refclassid, m.refobjid, 0
  from pg_catalog.pg_depend as m
 where m.classid in ('pg_catalog.pg_amop'::pg_catalog.regclass, 'pg_catalog.pg_amproc'::pg_catalog.regclass)
   and m.refclassid in ('pg_catalog.pg_opclass'::pg_catalog.regclass, 'pg_catalog.pg_opfamily'::pg_catalog.regclass)
union all
select p.classid, p.objid, 0, p.refclassid, p.refobjid, 0
  from pg_catalog.pg_depend as p
 where p.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and p.deptype = 'i'
"""
"""(row, what it stands for): pairs of addresses."""

DEPENDENCIES = """
select d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid
  from pg_catalog.pg_depend as d
 where d.objid >= 16384 and (d.refobjid >= 16384 or d.refobjid = 2200) and d.deptype in ('n', 'a', 'i', 'P', 'S')
   and d.classid not in ('pg_catalog.pg_am'::pg_catalog.regclass)
   and not (d.deptype = 'i' and (d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
            or d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid in
               ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass)
            or d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
               and d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass))
   and not (d.deptype = 'a' and d.refobjsubid > 0 and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and exists
            (select from pg_catalog.pg_class as s where s.oid = d.objid and s.relkind = 'S'))
union all
select 'pg_catalog.pg_sequence'::pg_catalog.regclass, d.objid, 0, d.refclassid, d.refobjid, d.refobjsubid
  from pg_catalog.pg_depend as d join pg_catalog.pg_class as s on s.oid = d.objid and s.relkind = 'S'
 where d.deptype = 'a' and d.refobjsubid > 0 and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
union all
select 'pg_catalog.pg_inherits'::pg_catalog.regclass, i.inhrelid, 0,
       'pg_catalog.pg_class'::pg_catalog.regclass, i.inhparent, 0
  from pg_catalog.pg_inherits as i
union all
select 'pg_catalog.pg_class'::pg_catalog.regclass, i.inhrelid, 0,
       'pg_catalog.pg_class'::pg_catalog.regclass, i.inhparent, 0
  from pg_catalog.pg_inherits as i join pg_catalog.pg_class as c on c.oid = i.inhrelid and not c.relispartition
union all
select 'pg_catalog.pg_index'::pg_catalog.regclass, x.indrelid, v.mark, 'pg_catalog.pg_class'::pg_catalog.regclass,
       x.indexrelid, 0
  from pg_catalog.pg_index as x cross join (values (1), (2)) as v (mark)
 where x.indrelid >= 16384 and case v.mark when 1 then x.indisreplident else x.indisclustered end
"""
"""(who, whom): the ownership of a sequence is taken off the sequence and put on its `owned_by`; the index
by which a table is replicated (1) or clustered (2) is needed by that mark. What
would only say that something needs itself (row types, array types, toast tables, indexes behind keys, the triggers of foreign
keys) is left out here, because there is a great deal of it."""


def resolve(
    known: Mapping[Address, ObjectId],
    aliases: Iterable[tuple[int, int, int, int, int, int]],
    rows: Iterable[tuple[int, int, int, int, int, int]],
) -> dict[ObjectId, frozenset[ObjectId]]:
    """Edges between identities. What stands for nothing of ours (toast tables, system objects) is left out."""
    stands_for: dict[Address, Address] = {a[:3]: a[3:] for a in aliases}

    def find(address: Address) -> ObjectId | None:
        seen = set()
        while address not in seen:
            seen.add(address)
            found = known.get(address)
            if found is not None:
                return found
            whole = (address[0], address[1], 0)
            if address in stands_for:
                address = stands_for[address]
            elif whole in known:
                return known[whole]
            elif whole in stands_for:
                address = stands_for[whole]
        return None

    identities: dict[Address, ObjectId | None] = dict(known)
    found: dict[ObjectId, set[ObjectId]] = {}
    for row in rows:
        one, other = row[:3], row[3:]
        if one not in identities:
            identities[one] = find(one)
        if other not in identities:
            identities[other] = find(other)
        user, need = identities[one], identities[other]
        if user is not None and need is not None and user is not need and user != need:
            needs = found.get(user)
            if needs is None:
                found[user] = {need}
            else:
                needs.add(need)
    return {user: frozenset(needs) for user, needs in found.items()}
