"""Which trigger calls which function, and which tables that function touches, also through the functions it calls.

Knows the catalog of one database and the texts in it. Promises each trigger of a user's table or view once (copies on partitions belong to
their parent's), and names resolved as the function's search_path would: a name that could mean several tables means none. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from psycopg import Connection

from reconciler.model import ObjectId, Snapshot
from reconciler.shadow.bodies.body import Body, Use, body
from reconciler.shadow.bodies.touched import Name

EVENTS = {"insert": 4, "delete": 8, "update": 16, "truncate": 32}
_FIRED_BY = {
    "insert": ("insert",),
    "copy": ("insert",),
    "update": ("update",),
    "delete": ("delete",),
    "truncate": ("truncate",),
    "merge": ("insert", "update", "delete"),
}


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure. `path` are the schemas of its own `set search_path`, None when it has none."""

    id: ObjectId
    language: str
    definer: bool
    owner: str
    path: tuple[str, ...] | None
    text: Body


@dataclass(frozen=True, slots=True)
class Trigger:
    """`events` are insert, update, delete, truncate; `columns` those of UPDATE OF; `when` its condition as PostgreSQL prints it; `transition` the
    names of its transition tables."""

    id: ObjectId
    table: ObjectId
    function: Routine
    timing: str
    row: bool
    events: tuple[str, ...]
    columns: tuple[str, ...]
    when: str
    enabled: bool
    constraint: bool
    transition: frozenset[str]


@dataclass(frozen=True, slots=True)
class Effect:
    """A table that a trigger touches. `through` are the functions on the way, the trigger's own first."""

    table: ObjectId
    use: Use
    through: tuple[Routine, ...]

    @property
    def verb(self) -> str:
        return self.use.touch.verb

    @property
    def place(self) -> str:
        """`public.f(), line 3`."""
        return f"{self.through[-1].id}, line {self.use.step.line}"


@dataclass(frozen=True)
class Wiring:
    """The triggers and functions of a database; `columns` are those of each table."""

    triggers: tuple[Trigger, ...]
    routines: Mapping[ObjectId, Routine]
    columns: Mapping[ObjectId, tuple[str, ...]]

    @cached_property
    def _tables(self) -> Mapping[str, tuple[ObjectId, ...]]:
        found: dict[str, tuple[ObjectId, ...]] = {}
        for table in sorted(self.columns):
            found[table.name] = (*found.get(table.name, ()), table)
        return found

    @cached_property
    def _called(self) -> Mapping[str, tuple[Routine, ...]]:
        found: dict[str, tuple[Routine, ...]] = {}
        for id, routine in sorted(self.routines.items()):
            found[id.name] = (*found.get(id.name, ()), routine)
        return found

    @cached_property
    def _effects(self) -> dict[ObjectId, tuple[Effect, ...]]:
        return {}

    def table(self, name: Name, routine: Routine) -> ObjectId | None:
        """The table that `name` means in that function; None when there is none, or several might be meant."""
        candidates = self._tables.get(name.name, ())
        if name.schema:
            return next((id for id in candidates if id.schema == name.schema), None)
        for schema in routine.path if routine.path is not None else ("public",):
            for id in candidates:
                if id.schema == schema:
                    return id
        return candidates[0] if len(candidates) == 1 and routine.path is None else None

    def effects(self, routine: Routine) -> tuple[Effect, ...]:
        """Every table the function touches, itself or through others."""
        if routine.id not in self._effects:
            self._effects[routine.id] = tuple(self._found(routine, ()))
        return self._effects[routine.id]

    def bodies(self, routine: Routine) -> tuple[Routine, ...]:
        """The function and all that it calls, each once."""
        found: dict[ObjectId, Routine] = {}
        waiting = [routine]
        while waiting:
            one = waiting.pop()
            if one.id not in found:
                found[one.id] = one
                waiting += self._calls(one)
        return tuple(found.values())

    def fired_by(self, effect: Effect) -> tuple[Trigger, ...]:
        """The triggers that this write fires. An update whose columns are known fires no trigger of others."""
        events = _FIRED_BY.get(effect.verb, ())
        sets = set(effect.use.touch.columns)
        return tuple(
            trigger
            for trigger in self.triggers
            if trigger.table == effect.table
            and trigger.enabled
            and any(
                event in trigger.events
                and not (
                    event == "update" == effect.verb
                    and trigger.columns
                    and sets
                    and not sets & set(trigger.columns)
                )
                for event in events
            )
        )

    def _calls(self, routine: Routine) -> list[Routine]:
        return [
            called
            for name in sorted(routine.text.calls)
            for called in self._called.get(name.name, ())
            if name.schema in ("", called.id.schema)
        ]

    def _found(self, routine: Routine, through: tuple[Routine, ...]) -> Iterator[Effect]:
        through = (*through, routine)
        for use in routine.text.uses:
            table = self.table(use.touch.table, routine)
            if table is not None:
                yield Effect(table, use, through)
        for called in self._calls(routine):
            if called not in through and len(through) < 8:
                yield from self._found(called, through)


_ROUTINES = """
select case p.prokind when 'p' then 'procedure' else 'function' end, n.nspname, p.proname,
  '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', l.lanname, p.prosecdef, r.rolname,
  (select pg_catalog.substr(s, 13) from pg_catalog.unnest(p.proconfig) as s where s ~ '^search_path='),
  coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc), p.oid
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
join pg_catalog.pg_language as l on l.oid = p.prolang
join pg_catalog.pg_roles as r on r.oid = p.proowner
where p.prokind in ('f', 'p')
  and (n.nspname !~ '^pg_' and n.nspname <> 'information_schema' or p.oid in (select t.tgfoid from pg_catalog.pg_trigger as t where not t.tgisinternal))
order by 1, 2, 3, 4
"""
_TRIGGERS = """
select n.nspname, c.relname, case c.relkind when 'v' then 'view' when 'f' then 'foreign_table' else 'table' end, t.tgname, t.tgfoid, t.tgtype::integer,
  array(select a.attname::text from pg_catalog.unnest(t.tgattr::smallint[]) as k join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k order by a.attnum),
  coalesce(pg_catalog.substring(pg_catalog.pg_get_triggerdef(t.oid), ' WHEN \\((.*)\\) EXECUTE '), ''), t.tgenabled in ('O', 'A'), t.tgconstraint <> 0,
  array_remove(array[t.tgoldtable::text, t.tgnewtable::text], null)
from pg_catalog.pg_trigger as t
join pg_catalog.pg_class as c on c.oid = t.tgrelid
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where not t.tgisinternal and t.tgparentid = 0
order by 1, 2, 4
"""
_COLUMNS = """
select n.nspname, c.relname, case c.relkind when 'v' then 'view' when 'm' then 'materialized_view' when 'f' then 'foreign_table' else 'table' end,
  array(select a.attname::text from pg_catalog.pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum)
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1, 2
"""


def wiring(connection: Connection, snapshot: Snapshot | None = None) -> Wiring:
    """What is in the database. With a snapshot, only triggers that it knows: what is not looked at is not judged."""
    routines: dict[int, Routine] = {}
    for kind, schema, name, arguments, language, definer, owner, path, source, oid in connection.execute(
        _ROUTINES
    ):
        schemas = (
            None
            if path is None
            else tuple(part.strip().strip('"') for part in path.split(",") if part.strip().strip('"'))
        )
        id = ObjectId(kind, schema, name, arguments)
        routines[oid] = Routine(id, language, definer, owner, schemas, body(language, source))
    triggers = []
    for (
        schema,
        table,
        kind,
        name,
        function,
        type_,
        columns,
        when,
        enabled,
        constraint,
        transition,
    ) in connection.execute(_TRIGGERS):
        id = ObjectId("trigger", schema, table, name)
        if snapshot is not None and id not in snapshot.digests:
            continue
        timing = "before" if type_ & 2 else "instead of" if type_ & 64 else "after"
        events = tuple(event for event, bit in EVENTS.items() if type_ & bit)
        triggers.append(
            Trigger(
                id,
                ObjectId(kind, schema, table),
                routines[function],
                timing,
                bool(type_ & 1),
                events,
                tuple(columns),
                when,
                enabled,
                constraint,
                frozenset(transition),
            )
        )
    tables = {
        ObjectId(kind, schema, name): tuple(columns)
        for schema, name, kind, columns in connection.execute(_COLUMNS)
    }
    return Wiring(tuple(triggers), {routine.id: routine for routine in routines.values()}, tables)
