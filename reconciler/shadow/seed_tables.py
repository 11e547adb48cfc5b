"""What the seeder must know of a database: tables, columns, types, checks and keys, read from the catalog in four queries.

The snapshot of the planner says too little here (it has no inherited keys, no bounds of partitions as expressions, no
elements of types), so this reads the scratch copy itself. Reads only; names of types are as this session prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from reconciler.pg import ident
from reconciler.shadow.seed_hints import mentions

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Type:
    """A type. `kind` is pg_type.typtype; `inner` the element, the base of a domain, the subtype of a range or the range of a
    multirange; `inner_text` is that type as SQL, with its modifier where the type itself carries one.
    """

    name: str
    kind: str
    constructor: str
    category: str
    inner: int
    inner_text: str
    labels: tuple[str, ...]
    checks: tuple[str, ...]
    hints: str
    not_null: bool
    fields: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `default` and `generated` are expressions or empty; `serial` says that the default counts.

    `given` are values (text) that the rows have to take in turn, `preferred` is an expression that is tried first, `canary` what plain texts
    begin with: all three are for who seeds.
    """

    name: str
    type: int
    type_text: str
    not_null: bool
    default: str
    generated: str
    serial: bool
    given: tuple[str, ...] = ()
    preferred: str = ""
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on one row that must not be false. `bodies` is the source of the functions that it calls."""

    name: str
    expression: str
    columns: frozenset[str]
    bodies: str


@dataclass(frozen=True, slots=True)
class Key:
    """A foreign key. `full` is MATCH FULL; `period`: the last column is contained instead of equal."""

    name: str
    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    full: bool
    period: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table or partitioned table. `roots` are the partitioned tables above a partition, `leaves` the partitions that
    hold the rows of a partitioned table; `late_indexes` enforce unique constraints that may be deferred.
    """

    oid: int
    schema: str
    name: str
    partitioned: bool
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    keys: tuple[Key, ...]
    roots: frozenset[int]
    leaves: tuple[int, ...]
    late_indexes: tuple[str, ...]

    @property
    def sql(self) -> str:
        return ident(self.schema, self.name)

    @property
    def rows(self) -> str:
        """What to read its rows from: never those of tables that inherit from it, which no key can point to."""
        return self.sql if self.partitioned else f"only {self.sql}"

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables by OID, and the types of their columns by OID.

    `first` is the number of the first row to make. `counted` are conditions, by table, on the rows that count: to the seeder the
    others are not there, except that they are in the way.
    """

    tables: Mapping[int, Table]
    types: Mapping[int, Type]
    first: int = 1
    counted: Mapping[int, str] = field(default_factory=dict)

    def where(self, table: int, *more: str) -> str:
        """A WHERE clause for the rows of a table that count; empty when all do."""
        conditions = [c for c in (self.counted.get(table, ""), *more) if c]
        return f" where {' and '.join(conditions)}" if conditions else ""


_OURS = (
    "c.relkind in ('r', 'p') and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <>"
    " 'information_schema'"
)
_FROM = "pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace"
_SOURCES = (
    "(select pg_catalog.string_agg(coalesce(nullif(pf.prosrc, ''), pg_catalog.pg_get_function_sqlbody(pf.oid)), ' ' order by"
    " pf.oid) from pg_catalog.pg_depend as pd join pg_catalog.pg_proc as pf on pf.oid = pd.refobjid where pd.classid ="
    " '{catalog}'::pg_catalog.regclass and pd.objid = {oid} and pd.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass)"
)
"""The bodies of the functions that an expression calls: the constants of a check often stand in there."""

_COLUMNS = (
    "select a.attrelid::bigint, a.attname::text, a.atttypid::bigint, pg_catalog.format_type(a.atttypid, a.atttypmod),"
    " a.attnotnull, pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text, "
    + _SOURCES.format(catalog="pg_catalog.pg_attrdef", oid="d.oid")
    + f" from {_FROM} join pg_catalog.pg_attribute as a on a.attrelid = c.oid left join pg_catalog.pg_attrdef as d on"
    f" d.adrelid = c.oid and d.adnum = a.attnum where {_OURS} and a.attnum > 0 and not a.attisdropped order by 1, a.attnum"
)
_NAMES = (
    "(select pg_catalog.array_agg(a.attname::text order by x.i) from pg_catalog.unnest({keys}) with ordinality as"
    " x(n, i) join pg_catalog.pg_attribute as a on a.attrelid = {relation} and a.attnum = x.n)"
)
# A key that points to a partitioned table has one more entry per partition of it: actions only, nothing to obey.
_CONSTRAINTS = (
    "select k.conrelid::bigint, k.contype::text, k.conname::text, pg_catalog.pg_get_expr(k.conbin, k.conrelid), "
    + _NAMES.format(keys="k.conkey", relation="k.conrelid")
    + ", k.confrelid::bigint, "
    + _NAMES.format(keys="k.confkey", relation="k.confrelid")
    + ", k.confmatchtype = 'f', coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean, false), "
    + _SOURCES.format(catalog="pg_catalog.pg_constraint", oid="k.oid")
    + ", (select pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ' ' order by e.enumtypid, e.enumsortorder) from"
    " pg_catalog.pg_depend as d join pg_catalog.pg_enum as e on e.enumtypid = d.refobjid where d.classid ="
    " 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.objid = k.oid and d.refclassid ="
    " 'pg_catalog.pg_type'::pg_catalog.regclass)"
    ", case when k.conindid <> 0 then k.conindid::pg_catalog.regclass::text end"
    f" from {_FROM} join pg_catalog.pg_constraint as k on k.conrelid = c.oid where {_OURS} and (k.contype = 'c' or"
    " k.contype = 'f' and not exists (select from pg_catalog.pg_constraint as p where p.oid = k.conparentid and p.conrelid ="
    " k.conrelid) or k.contype in ('p', 'u', 'x') and k.condeferrable) order by 1, k.conname"
)
_TABLES = (
    "select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind = 'p', case when c.relispartition then"
    " pg_catalog.pg_get_partition_constraintdef(c.oid) end, case when c.relispartition then (select"
    " pg_catalog.array_agg(p.relid::oid::bigint) from pg_catalog.pg_partition_ancestors(c.oid) as p where p.relid <>"
    " c.oid) end, case when c.relkind = 'p' then (select pg_catalog.array_agg(t.relid::oid::bigint order by"
    " t.relid::text) from pg_catalog.pg_partition_tree(c.oid) as t where t.isleaf and t.relid <> c.oid) end"
    f" from {_FROM} where {_OURS} order by n.nspname, c.relname"
)
_TYPES = (
    f"with recursive used(oid) as (select distinct a.atttypid from {_FROM} join pg_catalog.pg_attribute as a on"
    f" a.attrelid = c.oid where {_OURS} and a.attnum > 0 and not a.attisdropped union select x.oid from used as u join"
    " pg_catalog.pg_type as t on t.oid = u.oid cross join lateral (select t.typelem union all select t.typbasetype union all"
    " select r.rngsubtype from pg_catalog.pg_range as r where r.rngtypid = t.oid union all select r.rngtypid from"
    " pg_catalog.pg_range as r where r.rngmultitypid = t.oid union all select a.atttypid from pg_catalog.pg_attribute as a"
    " where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped) as x(oid) where x.oid"
    " <> 0) select t.oid::bigint, t.typname::text, n.nspname::text, t.typtype::text, t.typcategory::text,"
    " coalesce(i.oid, 0)::bigint, coalesce(pg_catalog.format_type(i.oid, case when t.typtype = 'd' then t.typtypmod end),"
    " ''), t.typnotnull, (select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder) from pg_catalog.pg_enum as"
    " e where e.enumtypid = t.oid), (select pg_catalog.array_agg(pg_catalog.pg_get_expr(k.conbin, 0) order by k.conname)"
    " from pg_catalog.pg_constraint as k where k.contypid = t.oid and k.contype = 'c'), (select"
    " pg_catalog.string_agg(s.body, ' ' order by s.oid) from (select k.oid, "
    + _SOURCES.format(catalog="pg_catalog.pg_constraint", oid="k.oid")
    + " as body from pg_catalog.pg_constraint as k where k.contypid = t.oid) as s),"
    " (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attname, a.atttypid::bigint,"
    " pg_catalog.format_type(a.atttypid, a.atttypmod)) order by a.attnum) from pg_catalog.pg_attribute as a where t.typtype ="
    " 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) from used as u join pg_catalog.pg_type as"
    " t on t.oid = u.oid join pg_catalog.pg_namespace as n on n.oid = t.typnamespace left join pg_catalog.pg_range as r on"
    " r.rngtypid = t.oid left join pg_catalog.pg_range as m on m.rngmultitypid = t.oid left join pg_catalog.pg_type as i"
    " on i.oid = case t.typtype when 'd' then t.typbasetype when 'r' then r.rngsubtype when 'm' then m.rngtypid else case"
    " when t.typcategory = 'A' then t.typelem end end order by 1"
)


def read(connection: Connection) -> Tables:
    """Every ordinary and partitioned table outside the system's schemas."""
    types = {
        int(row[0]): Type(
            name=row[1], kind=row[3], constructor=ident(row[2], row[1]), category=row[4], inner=row[5],
            inner_text=row[6], labels=tuple(row[8] or ()), checks=tuple(row[9] or ()), hints=row[10] or "",
            not_null=row[7], fields=tuple((f[0], int(f[1]), f[2]) for f in row[11] or ()),
        )
        for row in connection.execute(_TYPES)
    }  # fmt: skip
    columns: dict[int, list[Column]] = {}
    bodies: dict[tuple[int, str], str] = {}
    for oid, name, type_, text, not_null, default, generated, identity, body in connection.execute(_COLUMNS):
        own = not generated and (default or "")
        column = Column(
            name, type_, text, not_null or _never_null(types, type_), own or "", (generated and default) or "",
            bool(identity) or (own or "").startswith(("nextval(", "pg_catalog.nextval(")),
        )  # fmt: skip
        columns.setdefault(oid, []).append(column)
        bodies[oid, name] = body or ""
    checks: dict[int, list[Check]] = {}
    keys: dict[int, list[Key]] = {}
    late: dict[int, list[str]] = {}
    for row in connection.execute(_CONSTRAINTS):
        oid, kind, name, expression, own, target, theirs, full, period, body, labels, index = row
        if kind == "c":
            checks.setdefault(oid, []).append(
                Check(name, expression, frozenset(own or ()), f"{labels or ''} {body or ''}")
            )
        elif kind == "f":
            keys.setdefault(oid, []).append(Key(name, tuple(own), target, tuple(theirs), full, period))
        else:
            late.setdefault(oid, []).append(index)
    tables = {}
    for oid, schema, name, partitioned, bound, roots, leaves in connection.execute(_TABLES):
        own_columns = tuple(columns.get(oid, ()))
        found = [*checks.get(oid, ())]
        if bound:
            names = frozenset(c.name for c in own_columns if mentions(bound, c.name))
            found = [*found, Check("", bound, names, "")]
        found += [
            Check("not null", f"{ident(c.name)} is not null", frozenset({c.name}), "")
            for c in own_columns
            if c.generated and c.not_null
        ]
        tables[oid] = Table(
            oid, schema, name, partitioned, own_columns, tuple(_widened(found, own_columns, oid, bodies)),
            tuple(keys.get(oid, ())), frozenset(roots or ()), tuple(leaves or ()), tuple(late.get(oid, ())),
        )  # fmt: skip
    return Tables(tables, types)


def _widened(
    checks: Iterable[Check], columns: tuple[Column, ...], oid: int, bodies: Mapping[tuple[int, str], str]
) -> Iterable[Check]:
    """A check on a generated column is one on the columns that it is computed from."""
    for check in checks:
        names, found = set(check.columns), check.bodies
        for column in columns:
            if column.generated and column.name in names:
                names |= {c.name for c in columns if not c.generated and mentions(column.generated, c.name)}
                found += f" {column.generated} {bodies[oid, column.name]}"
        yield Check(check.name, check.expression, frozenset(names), found)


def _never_null(types: Mapping[int, Type], type_: int) -> bool:
    """Whether the type is a domain, or a domain over one, that admits no NULL."""
    while type_ in types and types[type_].kind == "d":
        if types[type_].not_null:
            return True
        type_ = types[type_].inner
    return False
