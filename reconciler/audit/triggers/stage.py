"""Where triggers are fired: one transaction in a world of two tenants, with every written row recorded, rolled back at the end.

Knows how a request of an identity begins. Promises that each try stands in a savepoint of its own that is taken back, that a try takes
five seconds at most, and that nothing is left in the database. Needs a superuser, and nobody else at work in the world meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psycopg

from reconciler.audit.attempt import acting, quietly
from reconciler.audit.triggers.trace import Connection, Note, Trace, installed, noted
from reconciler.audit.triggers.wiring import Wiring, wiring
from reconciler.model import ObjectId, Snapshot
from reconciler.pg import Url, connect, ident
from reconciler.shadow.footprint import Touched, Watch, touching, watch
from reconciler.shadow.tenants import catalogue as catalogues
from reconciler.shadow.tenants.catalogue import Catalogue, Relation
from reconciler.shadow.tenants.values import Identity, Row, World

_SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "track_functions": "all",
    "lc_messages": "C",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A column as a role meets it. `labels` are those of an enum; `identity` is `a` for GENERATED ALWAYS."""

    name: str
    type: str
    generated: bool
    identity: str
    labels: tuple[str, ...]
    select: bool
    insert: bool
    update: bool


@dataclass(frozen=True)
class Stage:
    """A world with the recorder in it. `settings` are all that any identity sets: who brings none has ''. `sequences` are those of each table (by OID)
    with where they stand."""

    connection: Connection
    world: World
    trace: Trace
    watch: Watch
    wiring: Wiring
    catalogue: Catalogue
    settings: tuple[str, ...]
    functions: Mapping[int, ObjectId]
    sequences: Mapping[int, tuple[tuple[str, int], ...]]
    places: dict[tuple[str, ObjectId], tuple[Place, ...]] = field(default_factory=dict)

    @cached_property
    def counting(self) -> str:
        """Asks how often each trigger function has been called."""
        called = {trigger.function.id for trigger in self.wiring.triggers}
        oids = ", ".join(f"({oid})" for oid, id in self.functions.items() if id in called) or "(0)"
        count = "pg_catalog.pg_stat_get_xact_function_calls(f.oid::pg_catalog.oid)"
        return f"select f.oid::bigint, {count} from (values {oids}) as f (oid) where {count} > 0 order by 1"

    @cached_property
    def strange(self) -> frozenset[str]:
        """Words that stand in rows of B and in no other: canaries, keys, names."""
        known = [self.world.shared, self.world.rows["A"]]
        return frozenset(_words([self.world.rows["B"]]) - _words(known))

    @cached_property
    def _relations(self) -> Mapping[ObjectId, Relation]:
        return {relation.id: relation for relation in self.catalogue.relations.values()}

    def relation(self, table: ObjectId) -> Relation:
        return self._relations[table]


@dataclass(frozen=True, slots=True)
class Fired:
    """What a try came to. `ready` is false when its preparation failed. `count` is how many rows the statement says it processed, `rows` what it
    returned, `code`, `message`, `said` (with detail and hint) and `context` the error; `ran` the functions that ran, `afterwards` the counts of what was done after it (-1: refused)."""

    ready: bool
    count: int = 0
    rows: tuple[tuple[object, ...], ...] = ()
    code: str = ""
    message: str = ""
    said: str = ""
    context: str = ""
    notes: tuple[Note, ...] = ()
    ran: frozenset[ObjectId] = frozenset()
    touched: tuple[Touched, ...] = ()
    afterwards: tuple[int, ...] = ()

    @property
    def done(self) -> bool:
        return self.ready and not self.code and self.count > 0


@contextmanager
def staged(url: Url, world: World, snapshot: Snapshot | None) -> Iterator[Stage]:
    """Opens one of the world's databases for tries."""
    settings = sorted({name for identity in world.identities for name in identity.settings})
    with connect(url, application_name="reconciler audit") as connection:
        catalogue = catalogues.read(connection)
        watched = watch(connection)
        wired = wiring(connection, snapshot)
        with connection.transaction(force_rollback=True):
            for name, value in _SETTINGS.items():
                connection.execute("select pg_catalog.set_config(%s, %s, true)", (name, value))
            functions = connection.execute(
                "select p.oid::bigint, case p.prokind when 'p' then 'procedure' else 'function' end, n.nspname, p.proname,"
                " '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n"
                " on n.oid = p.pronamespace where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prokind in ('f', 'p') order by 1"
            ).fetchall()
            known = {oid: ObjectId(kind, *rest) for oid, kind, *rest in functions}
            trace = installed(connection)
            numbers: dict[int, tuple[tuple[str, int], ...]] = {}
            for table, name, value in connection.execute(_SEQUENCES).fetchall():
                numbers[table] = (*numbers.get(table, ()), (name, value))
            yield Stage(connection, world, trace, watched, wired, catalogue, tuple(settings), known, numbers)


def fire(
    stage: Stage,
    identity: Identity,
    sql: str,
    *,
    setup: Sequence[str] = (),
    afterwards: Sequence[str] = (),
    unbound: Collection[Relation] = (),
    touches: bool = False,
) -> Fired:
    """Does `setup` as superuser without triggers, then `sql` as `identity`, then `afterwards`.

    `unbound`: tables that are to be without row-level security; `touches`: also says which tables were read.
    """
    connection = stage.connection
    try:
        return _fired(stage, identity, sql, setup, afterwards, unbound, touches)
    finally:
        connection.execute("rollback to savepoint try; release savepoint try")


def _fired(
    stage: Stage,
    identity: Identity,
    sql: str,
    setup: Sequence[str],
    afterwards: Sequence[str],
    unbound: Collection[Relation],
    touches: bool,
) -> Fired:
    """What a try came to, in a savepoint that is left open. As few messages as can be: an audit makes thousands of tries."""
    connection = stage.connection
    connection.execute("savepoint try")
    before = [f"alter table {relation.sql} disable row level security" for relation in unbound]
    before += quietly(setup)
    try:
        if before:
            connection.execute("; ".join(before).encode())
    except psycopg.Error as error:
        return Fired(False, code=error.sqlstate or "", message=_said(error))
    calls = _calls(stage)
    try:
        with _counted(stage, touches) as moved:
            answer = connection.execute(f"savepoint act; {acting(identity, stage.settings)}; {sql}".encode())
            while answer.nextset():
                pass
            rows = tuple(answer.fetchall()) if answer.description else ()
            connection.execute("set constraints all immediate; set local role none; release savepoint act")
    except psycopg.Error as error:
        connection.execute("rollback to savepoint act")
        message, code, diag = _said(error), error.sqlstate or "", error.diag
        said = "\n".join(part for part in (message, diag.message_detail, diag.message_hint) if part)
        ran = _ran(stage, calls)
        return Fired(True, code=code, message=message, said=said, context=diag.context or "", ran=ran)
    ran = _ran(stage, calls)
    notes = noted(connection, stage.trace, stage.world)
    counts = tuple(_count(stage, identity, statement) for statement in afterwards)
    return Fired(True, answer.rowcount, rows, notes=notes, ran=ran, touched=tuple(moved), afterwards=counts)


def places(stage: Stage, role: str, table: ObjectId) -> tuple[Place, ...]:
    """The columns of a table or view, as the role may use them."""
    key = role, table
    if key not in stage.places:
        stage.places[key] = tuple(
            Place(name, type_, generated, identity, tuple(labels), *may)
            for name, type_, generated, identity, labels, *may in stage.connection.execute(
                _PLACES, {"role": role, "table": ident(table.schema, table.name)}
            )
        )
    return stage.places[key]


_SEQUENCES = """
select d.refobjid::bigint, pg_catalog.format('%I.%I', s.schemaname, s.sequencename), s.last_value
from pg_catalog.pg_sequences as s
join pg_catalog.pg_namespace as n on n.nspname = s.schemaname
join pg_catalog.pg_class as c on c.relname = s.sequencename and c.relnamespace = n.oid
join pg_catalog.pg_depend as d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype in ('a', 'i')
  and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
where s.last_value is not null
order by 1, 2
"""
_PLACES = """
select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated <> '', a.attidentity::text,
  array(select e.enumlabel::text from pg_catalog.pg_enum as e where e.enumtypid = a.atttypid order by e.enumsortorder),
  pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'select'),
  pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'insert'),
  pg_catalog.has_column_privilege(%(role)s, a.attrelid, a.attnum, 'update')
from pg_catalog.pg_attribute as a
where a.attrelid = %(table)s::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@contextmanager
def _counted(stage: Stage, wanted: bool) -> Iterator[list[Touched]]:
    if not wanted:
        yield []
        return
    with touching(stage.connection, stage.watch) as moved:
        yield moved


def _count(stage: Stage, identity: Identity, statement: str) -> int:
    try:
        with stage.connection.transaction():
            stage.connection.execute(acting(identity, stage.settings).encode())
            count = stage.connection.execute(statement.encode()).rowcount
            stage.connection.execute("set local role none")
            return count
    except psycopg.Error:
        return -1


def _calls(stage: Stage) -> dict[int, int]:
    rows = stage.connection.execute(stage.counting.encode())
    return dict(rows.fetchall())


def _ran(stage: Stage, before: Mapping[int, int]) -> frozenset[ObjectId]:
    return frozenset(
        stage.functions[oid] for oid, calls in _calls(stage).items() if calls > before.get(oid, 0)
    )


def _words(held: Iterable[Mapping[ObjectId, Sequence[Row]]]) -> set[str]:
    """Words with a letter in them: numbers and times may be the same by chance."""
    texts = (
        value
        for rows in held
        for some in rows.values()
        for row in some
        for value in row.values.values()
        if value
    )
    found = {word for text in texts for word in re.findall(r"[\w-]+", text)}
    return {
        word
        for word in found
        if len(word) > 5 and re.search(r"[A-Za-z]", word) and not re.match(r"\d{4}-", word)
    }


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()
