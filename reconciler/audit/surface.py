"""What each role may touch: privileges as PostgreSQL itself answers for them, with everything that memberships add.

Reads only. Column by column, because a grant on one column is a door as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.audit.rules import tree
from reconciler.model import ObjectId
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do with a relation. `reach`: it may use the schema. `commands` hold on the whole relation or on a column.

    `policies` are the commands for which some permissive policy speaks of the role (one for INSERT without WITH CHECK lets nothing in); `bound` says that row-level security is on and
    binds it; `owner` that it owns the relation, or is a member of who does.
    """

    reach: bool = False
    commands: frozenset[str] = frozenset()
    select: tuple[str, ...] = ()
    insert: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    policies: frozenset[str] = frozenset()
    bound: bool = False
    bypasses: bool = False
    owner: bool = False

    def may(self, command: str) -> bool:
        return self.reach and command in self.commands

    def ruled(self, command: str) -> bool:
        """Whether row-level security leaves the command no row at all: it is on, and no policy speaks for the role."""
        return self.bound and command not in self.policies


@dataclass(frozen=True, slots=True)
class Argument:
    """An input argument of a routine. `base` is what a domain is made of, else the type itself."""

    name: str
    type: str
    base: str


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure that can be called: no trigger function, aggregate or member of an extension. `variadic`: its last argument is an
    array that stands for any number of them; `returns` is what a domain is made of, else the type itself; `outs` are the places, from 1, where a procedure wants something for what it gives back."""

    oid: int
    id: ObjectId
    arguments: tuple[Argument, ...]
    defaults: int
    rows: bool
    returns: str
    definer: bool
    volatile: bool
    body: str
    variadic: bool
    outs: tuple[int, ...]

    @property
    def sql(self) -> str:
        return ident(self.id.schema, self.id.name)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence; `of` is the table whose column it numbers, as OID (0: none), `stands` the number it is at, `owner` whose it is."""

    oid: int
    id: ObjectId
    of: int
    stands: int
    owner: str

    @property
    def sql(self) -> str:
        return ident(self.id.schema, self.id.name)


@dataclass(frozen=True, slots=True)
class Actions:
    """What a foreign key does to the rows that point to a row which goes or gets another key: pg_constraint's letters."""

    name: str
    child: int
    parent: int
    columns: tuple[str, ...]
    theirs: tuple[str, ...]
    deleted: str
    updated: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A view or materialized view: what it reads directly (OIDs), which commands can be sent through it, and which of its columns can be given
    a value then, each with the column (OID of its table or view, name) that it stands for (0, "": for none)."""

    reads: tuple[int, ...]
    takes: frozenset[str]
    columns: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Surface:
    """Rights by role and OID; `filled` are columns (OID, name) that number or fill themselves, `always` those that
    no UPDATE may set; `calls` are the routines, and `numbers` the sequences, each with the roles that may use them."""

    rights: Mapping[tuple[str, int], Rights]
    routines: tuple[Routine, ...]
    calls: Mapping[int, frozenset[str]]
    sequences: tuple[Sequence, ...]
    numbers: Mapping[tuple[str, int], frozenset[str]]
    keys: tuple[Actions, ...]
    views: Mapping[int, Seen]
    filled: frozenset[tuple[int, str]]
    always: frozenset[tuple[int, str]]

    def of(self, role: str, oid: int) -> Rights:
        return self.rights.get((role, oid), Rights())


_OURS = (
    "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'reconciler', 'reconciler_quarantine')"
)
_RIGHTS = f"""
select c.oid::bigint, pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'),
       array(select p.name from (values ('SELECT'), ('INSERT'), ('UPDATE')) as p (name)
              where pg_catalog.has_any_column_privilege(r.oid, c.oid, p.name) union all
             select p.name from (values ('DELETE'), ('TRUNCATE')) as p (name)
              where pg_catalog.has_table_privilege(r.oid, c.oid, p.name)),
       (select pg_catalog.array_agg(array[a.attname::text,
               pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')::text,
               pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'INSERT')::text,
               pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')::text] order by a.attnum)
          from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
       array(select p.polcmd::text from pg_catalog.pg_policy as p where p.polrelid = c.oid and p.polpermissive
             and (p.polcmd <> 'a' or p.polwithcheck is not null) and exists
             (select from pg_catalog.unnest(p.polroles) as x (oid) where x.oid = 0 or pg_catalog.pg_has_role(r.oid, x.oid, 'USAGE'))),
       c.relrowsecurity, c.relforcerowsecurity, pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE'), r.rolsuper or r.rolbypassrls
  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace, pg_catalog.pg_roles as r
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't' and {_OURS} and r.rolname = %s order by 1
"""
_MEMBER = (
    "not exists (select from pg_catalog.pg_depend as d where d.classid = '{0}'::pg_catalog.regclass and d.objid = {1}"
    " and d.deptype = 'e')"
)
_BASE = (
    "(with recursive d (oid, of) as (select y.oid, y.typbasetype from pg_catalog.pg_type as y where y.oid = t.oid union all"
    " select y.oid, y.typbasetype from d join pg_catalog.pg_type as y on y.oid = d.of)"
    " select pg_catalog.format_type(d.oid, null) from d where d.of = 0)"
)
_ROUTINES = f"""
select p.oid::bigint, p.prokind::text, n.nspname::text, p.proname::text, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')',
       array(select pg_catalog.format_type(t.oid, null) from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality as t (oid, i)
              order by t.i),
       array(select {_BASE} from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality as t (oid, i) order by t.i),
       case when p.proargmodes is null then p.proargnames else
         array(select p.proargnames[m.i] from pg_catalog.unnest(p.proargmodes) with ordinality as m (mode, i)
                where m.mode in ('i', 'b', 'v') order by m.i) end,
       p.pronargdefaults::int, p.proretset, (select {_BASE} from (select p.prorettype) as t (oid)), p.prosecdef, p.provolatile = 'v',
       coalesce(nullif(p.prosrc, ''), pg_catalog.pg_get_function_sqlbody(p.oid), ''), p.provariadic <> 0,
       array(select m.i::int from pg_catalog.unnest(p.proargmodes) with ordinality as m (mode, i) where p.prokind = 'p' and m.mode = 'o' order by m.i)
  from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
 where p.prokind in ('f', 'p') and {_OURS} and {_MEMBER.format("pg_catalog.pg_proc", "p.oid")}
   and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
 order by n.nspname, p.proname, p.oid
"""
_CALLS = f"""
select p.oid::bigint, array(select r.name from pg_catalog.unnest(%s::text[]) as r (name)
        where pg_catalog.has_function_privilege(r.name, p.oid, 'EXECUTE') and pg_catalog.has_schema_privilege(r.name, n.oid, 'USAGE'))
  from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
 where p.prokind in ('f', 'p') and {_OURS} order by 1
"""
_SEQUENCES = f"""
select c.oid::bigint, n.nspname::text, c.relname::text, coalesce((select d.refobjid::bigint from pg_catalog.pg_depend as d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype in ('a', 'i')
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass limit 1), 0),
       coalesce(pg_catalog.pg_sequence_last_value(c.oid), 0)::bigint, pg_catalog.pg_get_userbyid(c.relowner)::text
  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where c.relkind = 'S' and c.relpersistence <> 't' and {_OURS} and {_MEMBER.format("pg_catalog.pg_class", "c.oid")}
 order by 2, 3
"""
_NUMBERS = """
select r.name, array(select p.name from (values ('USAGE'), ('SELECT'), ('UPDATE')) as p (name)
        where pg_catalog.has_sequence_privilege(r.name, c.oid, p.name) and pg_catalog.has_schema_privilege(r.name, c.relnamespace, 'USAGE'))
  from pg_catalog.unnest(%s::text[]) as r (name), pg_catalog.pg_class as c where c.oid = %s order by 1
"""
_NAMES = (
    "(select pg_catalog.array_agg(a.attname::text order by x.i) from pg_catalog.unnest({0}) with ordinality as x(n, i)"
    " join pg_catalog.pg_attribute as a on a.attrelid = {1} and a.attnum = x.n)"
)
_KEYS = f"""
select k.conname::text, k.conrelid::bigint, k.confrelid::bigint, {_NAMES.format("k.conkey", "k.conrelid")},
       {_NAMES.format("k.confkey", "k.confrelid")}, k.confdeltype::text, k.confupdtype::text
  from pg_catalog.pg_constraint as k where k.contype = 'f' order by 2, 1
"""
_VIEWS = f"""
select c.oid::bigint, array(select distinct d.refobjid::bigint from pg_catalog.pg_rewrite as w join pg_catalog.pg_depend as d
          on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = w.oid
         and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid <> c.oid
        where w.ev_class = c.oid and w.ev_type = '1' order by 1),
       pg_catalog.pg_relation_is_updatable(c.oid, true),
       array(select a.attname::text from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             and pg_catalog.pg_column_is_updatable(c.oid, a.attnum, true) order by a.attnum),
       (select w.ev_action::text from pg_catalog.pg_rewrite as w where w.ev_class = c.oid and w.ev_type = '1')
  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where c.relkind in ('v', 'm') and {_OURS} order by 1
"""
_FILLED = """
select a.attrelid::bigint, a.attname::text, a.attidentity = 'a' from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
 where c.relkind in ('r', 'p') and a.attnum > 0 and (a.attidentity <> '' or a.atthasdef) order by 1, 2
"""
_NUMBERED = """
select a.attrelid::bigint, a.attnum::int, a.attname::text from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid = a.attrelid
 where c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0 and not a.attisdropped order by 1, 2
"""
_BITS = {"UPDATE": 4, "INSERT": 8, "DELETE": 16}
_COMMANDS = {"r": ("SELECT",), "a": ("INSERT",), "w": ("UPDATE",), "d": ("DELETE",),
             "*": ("SELECT", "INSERT", "UPDATE", "DELETE")}  # fmt: skip


def read(connection: Connection, roles: Iterable[str]) -> Surface:
    """What `roles` may touch in this database. Roles that the server does not have may touch nothing."""
    wanted = sorted(set(roles))
    names = [
        row[0]
        for row in connection.execute(
            "select r.rolname::text from pg_catalog.pg_roles as r where r.rolname = any(%s) order by 1",
            (wanted,),
        )
    ]
    rights = {}
    for name in names:
        for row in connection.execute(_RIGHTS, (name,)):
            rights[name, row[0]] = _rights(*row[1:])
    with connection.transaction():
        # types are named as in a snapshot: with their schema, whatever the session's path
        connection.execute("set local search_path to ''")
        routines = tuple(_routine(*row) for row in connection.execute(_ROUTINES.encode()).fetchall())
    calls = {row[0]: frozenset(row[1]) for row in connection.execute(_CALLS, (names,))}
    sequences = tuple(
        Sequence(oid, ObjectId("sequence", schema, name), of, stands, owner)
        for oid, schema, name, of, stands, owner in connection.execute(_SEQUENCES.encode())
    )
    numbers = {
        (role, sequence.oid): frozenset(may)
        for sequence in sequences
        for role, may in connection.execute(_NUMBERS, (names, sequence.oid))
    }
    keys = tuple(
        Actions(name, child, parent, tuple(own), tuple(theirs), deleted, updated)
        for name, child, parent, own, theirs, deleted, updated in connection.execute(_KEYS.encode())
    )
    seen = connection.execute(_VIEWS.encode()).fetchall()
    numbered = {(oid, number): name for oid, number, name in connection.execute(_NUMBERED)}
    views = {
        oid: Seen(
            tuple(reads), frozenset(name for name, bit in _BITS.items() if takes & bit),
            {name: origin for name, origin in _origins(action, numbered) if name in columns},
        )
        for oid, reads, takes, columns, action in seen
    }  # fmt: skip
    fills = connection.execute(_FILLED).fetchall()
    filled = frozenset((oid, name) for oid, name, _ in fills)
    always = frozenset((oid, name) for oid, name, fixed in fills if fixed)
    return Surface(rights, routines, calls, sequences, numbers, keys, views, filled, always)


def _origins(action: str, names: Mapping[tuple[int, int], str]) -> Iterator[tuple[str, tuple[int, str]]]:
    """The columns of a view by what PostgreSQL stored of its query, each with the one that it is."""
    for query in tree.read(action):
        for entry in query.nodes("targetList"):
            oid, number = entry.number("resorigtbl"), entry.number("resorigcol")
            if entry["resjunk"] != "true":
                yield entry["resname"], (oid, names[oid, number]) if (oid, number) in names else (0, "")


def _rights(
    reach: bool,
    commands: list[str],
    columns: list[list[str]] | None,
    policies: list[str],
    secured: bool,
    forced: bool,
    owner: bool,
    exempt: bool,
) -> Rights:
    granted = [tuple(name for name, *yes in columns or () if yes[i] == "true") for i in range(3)]
    bypasses = exempt or (owner and not (secured and forced))
    return Rights(
        reach=reach,
        commands=frozenset(commands),
        select=granted[0],
        insert=granted[1],
        update=granted[2],
        policies=frozenset(command for letter in policies for command in _COMMANDS[letter]),
        bound=secured and not bypasses,
        bypasses=bypasses,
        owner=owner,
    )


def _routine(
    oid: int,
    kind: str,
    schema: str,
    name: str,
    part: str,
    types: list[str],
    bases: list[str],
    names: list[str] | None,
    defaults: int,
    rows: bool,
    returns: str,
    definer: bool,
    volatile: bool,
    body: str,
    variadic: bool,
    outs: list[int],
) -> Routine:
    known = [*(names or []), *[""] * len(types)]
    arguments = tuple(Argument(known[i] or "", type_, bases[i]) for i, type_ in enumerate(types))
    id = ObjectId("procedure" if kind == "p" else "function", schema, name, part)
    return Routine(
        oid, id, arguments, defaults, rows, returns, definer, volatile, body, variadic, tuple(outs)
    )
