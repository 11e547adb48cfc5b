"""What the two-tenant world must know of a database: relations, keys, policies, functions and rights, read from the catalog.

Expressions come as PostgreSQL prints them with an empty search_path, so that every name that could be mistaken carries its schema.
Reads only. Objects of extensions are read and marked, the system's and our own schemas are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    not_null: bool
    default: str
    generated: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key: these columns of the table point to those of `target` (an OID)."""

    name: str
    columns: tuple[str, ...]
    target: int
    theirs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A row-level security policy. `command` is pg_policy.polcmd (`*` for all); `using` and `check` are empty where there is none."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str
    check: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or materialized view. `kind` is pg_class.relkind. `above` is the table that it is a partition or heir of.

    `rights` are (role, privilege, column or ""), the owner's own left out; `unique` the columns of each unique index without a
    condition, the primary key first; `definition` is a view's query.
    """

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    secured: bool
    forced: bool
    extension: str
    above: int
    partition: bool
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    policies: tuple[Policy, ...] = ()
    rights: tuple[tuple[str, str, str], ...] = ()
    definition: str = ""
    checks: tuple[str, ...] = ()

    @property
    def id(self) -> ObjectId:
        kind = {"v": "view", "m": "materialized_view", "f": "foreign_table"}.get(self.kind, "table")
        return ObjectId(kind, self.schema, self.name)

    @property
    def sql(self) -> str:
        return ident(self.schema, self.name)

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure; `body` is its source, or what PostgreSQL prints of a SQL-standard body."""

    oid: int
    schema: str
    name: str
    body: str
    definer: bool
    language: str
    returns: str
    extension: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the server; `bypasses` says that row-level security does not bind it."""

    name: str
    bypasses: bool
    superuser: bool
    members_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything by OID, functions also by bare name; `roles` by name; `labels` are those of enums, by the type's text;
    `reach` are the roles with a right on a schema or a function."""

    relations: Mapping[int, Relation]
    functions: Mapping[int, Function]
    roles: Mapping[str, Role]
    named: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reach: frozenset[str] = frozenset()

    @property
    def tables(self) -> tuple[Relation, ...]:
        return tuple(r for r in self.relations.values() if r.kind in ("r", "p"))

    def followed(
        self, start: Iterable[int], onward: Callable[[Relation], Iterable[int]]
    ) -> tuple[Relation, ...]:
        """The relations with these OIDs and all that `onward` leads to from them, each once."""
        found: dict[int, Relation] = {}
        todo = list(start)
        while todo:
            relation = self.relations.get(todo.pop())
            if relation is not None and relation.oid not in found:
                found[relation.oid] = relation
                todo += onward(relation)
        return tuple(found.values())


_OURS = (
    "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'reconciler', 'reconciler_quarantine')"
)
_EXTENSION = (
    "coalesce((select e.extname::text from pg_catalog.pg_depend as d join pg_catalog.pg_extension as e on e.oid = d.refobjid"
    " where d.classid = '{catalog}'::pg_catalog.regclass and d.objid = {oid} and d.deptype = 'e' and d.refclassid ="
    " 'pg_catalog.pg_extension'::pg_catalog.regclass limit 1), '')"
)
_RELATIONS = f"""
select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, pg_catalog.pg_get_userbyid(c.relowner)::text,
       c.relrowsecurity, c.relforcerowsecurity, {_EXTENSION.format(catalog="pg_catalog.pg_class", oid="c.oid")},
       coalesce((select i.inhparent::bigint from pg_catalog.pg_inherits as i where i.inhrelid = c.oid order by i.inhseqno limit 1), 0),
       c.relispartition, case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) else '' end
  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't' and {_OURS} order by n.nspname, c.relname
"""
_COLUMNS = f"""
select a.attrelid::bigint, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), a.attgenerated <> ''
  from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
       join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
       left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped and {_OURS} order by 1, a.attnum
"""
_NAMES = (
    "(select pg_catalog.array_agg(a.attname::text order by x.i) from pg_catalog.unnest({keys}) with ordinality as"
    " x(n, i) join pg_catalog.pg_attribute as a on a.attrelid = {relation} and a.attnum = x.n)"
)
_KEYS = f"""
select k.conrelid::bigint, k.conname::text, {_NAMES.format(keys="k.conkey", relation="k.conrelid")}, k.confrelid::bigint,
       {_NAMES.format(keys="k.confkey", relation="k.confrelid")}
  from pg_catalog.pg_constraint as k
 where k.contype = 'f' and not exists (select from pg_catalog.pg_constraint as p where p.oid = k.conparentid and p.conrelid = k.conrelid)
 order by 1, 2
"""
_CHECKS = """
select k.conrelid::bigint, pg_catalog.pg_get_expr(k.conbin, k.conrelid) from pg_catalog.pg_constraint as k
 where k.contype = 'c' and k.conrelid <> 0 order by 1, k.conname
"""
_UNIQUE = f"""
select i.indrelid::bigint, i.indisprimary, {_NAMES.format(keys="i.indkey::int2[]", relation="i.indrelid")}
  from pg_catalog.pg_index as i
 where i.indisunique and i.indpred is null and i.indexprs is null order by 1, 2 desc, 3
"""
_POLICIES = """
select p.polrelid::bigint, p.polname::text, p.polcmd::text, p.polpermissive,
       array(select case when r.oid = 0 then 'public' else pg_catalog.pg_get_userbyid(r.oid)::text end
               from pg_catalog.unnest(p.polroles) as r (oid) order by 1),
       coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '')
  from pg_catalog.pg_policy as p order by 1, 2
"""
_RIGHTS = """
select x.oid::bigint, x.role, x.privilege, x.part from (
  select c.oid, case when a.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end as role,
         pg_catalog.lower(a.privilege_type) as privilege, '' as part
    from pg_catalog.pg_class as c, pg_catalog.aclexplode(c.relacl) as a
   where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.grantee <> c.relowner
  union all
  select c.oid, case when a.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end,
         pg_catalog.lower(a.privilege_type), t.attname::text
    from pg_catalog.pg_class as c join pg_catalog.pg_attribute as t on t.attrelid = c.oid, pg_catalog.aclexplode(t.attacl) as a
   where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.grantee <> c.relowner) as x
 order by 1, 2, 3, 4
"""
_FUNCTIONS = f"""
select p.oid::bigint, n.nspname::text, p.proname::text, coalesce(nullif(p.prosrc, ''), pg_catalog.pg_get_function_sqlbody(p.oid), ''),
       p.prosecdef, l.lanname::text, pg_catalog.format_type(p.prorettype, null),
       {_EXTENSION.format(catalog="pg_catalog.pg_proc", oid="p.oid")}
  from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
       join pg_catalog.pg_language as l on l.oid = p.prolang
 where p.prokind in ('f', 'p') and {_OURS} order by n.nspname, p.proname, p.oid
"""
_REACH = """
select distinct pg_catalog.pg_get_userbyid(a.grantee)::text from (
  select n.nspacl from pg_catalog.pg_namespace as n where n.nspname !~ '^pg_'
  union all select p.proacl from pg_catalog.pg_proc as p where p.oid >= 16384) as x (acl), pg_catalog.aclexplode(x.acl) as a
 where a.grantee <> 0 order by 1
"""
_LABELS = """
select pg_catalog.format_type(e.enumtypid, null), pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
  from pg_catalog.pg_enum as e group by e.enumtypid order by 1
"""
_ROLES = """
select r.rolname::text, r.rolbypassrls or r.rolsuper, r.rolsuper,
       array(select pg_catalog.pg_get_userbyid(m.roleid)::text from pg_catalog.pg_auth_members as m where m.member = r.oid order by 1)
  from pg_catalog.pg_roles as r where r.rolname !~ '^pg_' order by 1
"""


def read(connection: Connection) -> Catalogue:
    """The catalog as it is now. The session's search_path is put back afterwards."""
    with connection.transaction():
        row = connection.execute("select pg_catalog.current_setting('search_path')").fetchone()
        connection.execute("select pg_catalog.set_config('search_path', '', true)")
        found = _read(connection)
        connection.execute("select pg_catalog.set_config('search_path', %s, true)", row)
    return found


def _read(connection: Connection) -> Catalogue:
    columns = _grouped(connection, _COLUMNS, Column)
    keys: dict[int, list[Key]] = {}
    for oid, name, own, target, theirs in connection.execute(_KEYS):
        keys.setdefault(oid, []).append(Key(name, tuple(own), target, tuple(theirs)))
    unique: dict[int, list[tuple[str, ...]]] = {}
    primary: dict[int, tuple[str, ...]] = {}
    for oid, is_primary, names in connection.execute(_UNIQUE):
        unique.setdefault(oid, []).append(tuple(names or ()))
        if is_primary:
            primary[oid] = tuple(names)
    policies: dict[int, list[Policy]] = {}
    for oid, name, command, permissive, roles, using, check in connection.execute(_POLICIES):
        policies.setdefault(oid, []).append(Policy(name, command, permissive, tuple(roles), using, check))
    rights: dict[int, list[tuple[str, str, str]]] = {}
    for oid, role, privilege, part in connection.execute(_RIGHTS):
        rights.setdefault(oid, []).append((role, privilege, part))
    checks: dict[int, list[str]] = {}
    for oid, expression in connection.execute(_CHECKS):
        checks.setdefault(oid, []).append(expression)
    relations = {}
    for (
        oid,
        schema,
        name,
        kind,
        owner,
        secured,
        forced,
        extension,
        above,
        partition,
        definition,
    ) in connection.execute(_RELATIONS):
        relations[oid] = Relation(
            oid, schema, name, kind, owner, secured, forced, extension, above, partition, tuple(columns.get(oid, ())),
            tuple(keys.get(oid, ())), primary.get(oid, ()), tuple(unique.get(oid, ())), tuple(policies.get(oid, ())),
            tuple(rights.get(oid, ())), definition or "", tuple(checks.get(oid, ())),
        )  # fmt: skip
    functions = {row[0]: Function(*row) for row in connection.execute(_FUNCTIONS)}
    named: dict[str, tuple[Function, ...]] = {}
    for function in functions.values():
        named[function.name] = (*named.get(function.name, ()), function)
    known = {
        name: Role(name, bypasses, superuser, tuple(of))
        for name, bypasses, superuser, of in connection.execute(_ROLES)
    }
    labels = {name: tuple(words) for name, words in connection.execute(_LABELS)}
    reach = frozenset(row[0] for row in connection.execute(_REACH))
    return Catalogue(relations, functions, known, named, labels, reach)


def _grouped(connection: Connection, sql: str, make: type[Column]) -> dict[int, list[Column]]:
    found: dict[int, list[Column]] = {}
    for oid, *rest in connection.execute(sql.encode()):
        found.setdefault(oid, []).append(make(*rest))
    return found
