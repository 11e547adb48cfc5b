"""The SQL that reads each catalog for the rules. Sources: PostgreSQL manual, chapter 53 "System Catalogs".

Every query leaves out what PostgreSQL itself brings, but no schema of users: a policy may point anywhere.
"""

from __future__ import annotations

from typing import Final

_THEIRS: Final = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"


def _granted(acl: str, kind: str, owner: str) -> str:
    """An access list as JSON, without the owner's own entries."""
    return (
        "(select coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
        "'to', case when e.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(e.grantee) end,"
        " 'privilege', e.privilege_type, 'grantable', e.is_grantable)), '[]')"
        f" from pg_catalog.aclexplode(coalesce({acl}, pg_catalog.acldefault({kind}, {owner}))) as e"
        f" where e.grantee <> {owner})"
    )


def _member(catalog: str, oid: str) -> str:
    return (
        "exists (select from pg_catalog.pg_depend as e where e.deptype = 'e'"
        f" and e.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass and e.objid = {oid})"
    )


_NAMES_OF = (
    "(select coalesce(pg_catalog.array_agg(a.attname::text order by u.n), '{{}}')"
    " from pg_catalog.unnest({numbers}) with ordinality as u (attnum, n)"
    " join pg_catalog.pg_attribute as a on a.attrelid = {relation} and a.attnum = u.attnum)"
)

SCHEMAS: Final = f"""
select n.nspname::text as name, pg_catalog.pg_get_userbyid(n.nspowner)::text as owner,
  {_granted("n.nspacl", "'n'", "n.nspowner")} as grants
from pg_catalog.pg_namespace as n
where {_THEIRS}
order by 1"""

RELATIONS: Final = f"""
select r.oid::pg_catalog.int8 as oid, n.nspname::text as schema, r.relname::text as name, r.relkind::text as letter,
  pg_catalog.pg_get_userbyid(r.relowner)::text as owner, r.relrowsecurity as rls, r.relforcerowsecurity as forced,
  r.relispartition as partition, coalesce(r.reloptions, '{{}}') as options,
  {_granted("r.relacl", "case when r.relkind = 'S' then 's'::pg_catalog.char else 'r'::pg_catalog.char end", "r.relowner")} as grants,
  coalesce((select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'to', case when e.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(e.grantee) end,
      'privilege', e.privilege_type, 'grantable', e.is_grantable, 'column', a.attname))
    from pg_catalog.pg_attribute as a cross join lateral pg_catalog.aclexplode(a.attacl) as e
    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and e.grantee <> r.relowner), '[]') as column_grants,
  coalesce((select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', a.attname, 'number', a.attnum, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'nullable', not a.attnotnull, 'identity', a.attidentity::text, 'generated', a.attgenerated <> '',
      'default', coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '')) order by a.attnum)
    from pg_catalog.pg_attribute as a
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and r.relkind <> 'S'), '[]') as columns,
  coalesce((select pg_catalog.array_agg(h.inhparent::pg_catalog.int8 order by h.inhseqno)
    from pg_catalog.pg_inherits as h where h.inhrelid = r.oid), '{{}}') as parents,
  case when r.relkind in ('v', 'm') then (select w.ev_action::text from pg_catalog.pg_rewrite as w
    where w.ev_class = r.oid and w.rulename = '_RETURN') end as query,
  case when r.relkind = 'v' then pg_catalog.pg_relation_is_updatable(r.oid, true) else 0 end as updatable,
  {_member("pg_class", "r.oid")} as member
from pg_catalog.pg_class as r
join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
where r.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and {_THEIRS}
order by 2, 3"""

POLICIES: Final = f"""
select n.nspname::text as schema, r.relname::text as table, r.oid::pg_catalog.int8 as relid, p.polname::text as name,
  p.polpermissive as permissive, p.polcmd::text as command,
  (select pg_catalog.array_agg(case when o = 0 then 'public' else pg_catalog.pg_get_userbyid(o)::text end order by 1)
    from pg_catalog.unnest(p.polroles) as o) as roles,
  pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using, p.polqual::text as using_tree,
  pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check, p.polwithcheck::text as check_tree
from pg_catalog.pg_policy as p
join pg_catalog.pg_class as r on r.oid = p.polrelid
join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
where {_THEIRS}
order by 1, 2, 4"""

FUNCTIONS: Final = f"""
select p.oid::pg_catalog.int8 as oid, n.nspname::text as schema, p.proname::text as name, p.prokind::text as kind,
  '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' as types, pg_catalog.pg_get_userbyid(p.proowner)::text as owner,
  l.lanname::text as language, p.prosecdef as definer, p.provolatile::text as volatility, p.proleakproof as leakproof,
  pg_catalog.format_type(p.prorettype, null) as returns, p.pronargs::int as arguments,
  (select pg_catalog.substr(s, 13) from pg_catalog.unnest(p.proconfig) as s where s ~ '^search_path=') as search_path,
  case when l.lanname in ('c', 'internal') then '' else coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc) end as body,
  p.prosqlbody is not null as resolved,
  {_granted("p.proacl", "'f'", "p.proowner")} as grants,
  {_member("pg_proc", "p.oid")} as member
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
join pg_catalog.pg_language as l on l.oid = p.prolang
where ({_THEIRS}) or p.oid::pg_catalog.int8 = any(%s)
order by 2, 3, 5"""

ROLES: Final = """
select r.rolname::text as name, r.rolcanlogin as login, r.rolsuper as superuser, r.rolbypassrls as bypasses
from pg_catalog.pg_roles as r
order by 1"""


def members(major: int) -> str:
    """Who is a member of what. Before 16 the member's own INHERIT said whether privileges come by themselves, and SET ROLE was
    always allowed."""
    inherits = "m.inherit_option" if major >= 16 else "u.rolinherit"
    becomes = "m.set_option" if major >= 16 else "true"
    return f"""
select u.rolname::text as member, r.rolname::text as role, {inherits} as inherits, {becomes} as becomes
from pg_catalog.pg_auth_members as m
join pg_catalog.pg_roles as u on u.oid = m.member
join pg_catalog.pg_roles as r on r.oid = m.roleid
order by 1, 2"""


FOREIGN_KEYS: Final = f"""
select n.nspname::text as schema, r.relname::text as table, r.oid::pg_catalog.int8 as relid, k.conname::text as name,
  {_NAMES_OF.format(numbers="k.conkey", relation="k.conrelid")} as columns, k.confrelid::pg_catalog.int8 as target,
  {_NAMES_OF.format(numbers="k.confkey", relation="k.confrelid")} as target_columns,
  k.confdeltype::text as on_delete, k.confupdtype::text as on_update
from pg_catalog.pg_constraint as k
join pg_catalog.pg_class as r on r.oid = k.conrelid
join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
where k.contype = 'f' and k.conparentid = 0 and {_THEIRS}
order by 1, 2, 4"""

INDEXES: Final = f"""
select n.nspname::text as schema, r.relname::text as table, r.oid::pg_catalog.int8 as relid, i.relname::text as name,
  (select coalesce(pg_catalog.array_agg(coalesce(a.attname::text, '') order by s.n), '{{}}')
    from pg_catalog.generate_series(0, x.indnkeyatts - 1) as s (n)
    left join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attnum = x.indkey[s.n] and a.attnum > 0) as columns,
  (select coalesce(pg_catalog.array_agg(pg_catalog.pg_get_indexdef(i.oid, s.n + 1, false) order by s.n), '{{}}')
    from pg_catalog.generate_series(0, x.indnkeyatts - 1) as s (n) where x.indkey[s.n] = 0) as expressions,
  x.indisunique as unique, x.indisprimary as primary, x.indisexclusion as exclusion, x.indpred is not null as partial,
  coalesce((select k.conname::text from pg_catalog.pg_constraint as k
    where k.conindid = i.oid and k.contype in ('p', 'u', 'x') order by 1 limit 1), '') as constraint
from pg_catalog.pg_index as x
join pg_catalog.pg_class as i on i.oid = x.indexrelid
join pg_catalog.pg_class as r on r.oid = x.indrelid
join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
where x.indisvalid and {_THEIRS} and n.nspname <> 'pg_toast'
order by 1, 2, 4"""

DEFAULTS: Final = f"""
select pg_catalog.pg_get_userbyid(d.defaclrole)::text as owner, coalesce(n.nspname::text, '') as schema,
  d.defaclobjtype::text as kind, {_granted("d.defaclacl", "'r'", "d.defaclrole")} as grants
from pg_catalog.pg_default_acl as d
left join pg_catalog.pg_namespace as n on n.oid = d.defaclnamespace
order by 1, 2, 3"""


PUBLICATIONS: Final = """
select p.pubname::text as name, p.puballtables as everything,
  coalesce((select pg_catalog.array_agg(r.oid::pg_catalog.int8 order by r.oid)
    from pg_catalog.pg_publication_tables as t
    join pg_catalog.pg_namespace as n on n.nspname = t.schemaname
    join pg_catalog.pg_class as r on r.relnamespace = n.oid and r.relname = t.tablename
    where t.pubname = p.pubname), '{}') as tables
from pg_catalog.pg_publication as p
order by 1"""

EXTENSIONS: Final = """
select e.extname::text as name, n.nspname::text as schema, e.extrelocatable as relocatable
from pg_catalog.pg_extension as e
join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
order by 1"""
