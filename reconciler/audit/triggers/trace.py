"""Every row that a statement writes, by itself and in triggers at any depth: old and new values, as which role, inside which functions.

A recording trigger on each table, put there in a transaction that is rolled back. Row counters cannot tell a trigger's write from the
statement's own, or whose row it was; this can. Promises nothing about TRUNCATE, and nothing about writes that an exception handler took back:
those did not happen. Needs a superuser and a scratch database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident
from reconciler.shadow.tenants.values import Side, World

Connection = psycopg.Connection[TupleRow]
SCHEMA = "reconciler_trace"
_FRAME = re.compile(
    r"^(?:PL/pgSQL function|SQL function) (.+?)(?: line (\d+) at .*| statement \d+| during .*)?$", re.M
)

_TABLES = """
select n.nspname, c.relname, c.oid::bigint
from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
  and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'reconciler', 'reconciler_quarantine')
order by 1, 2
"""
# PG_CONTEXT is the stack of calls, the innermost first, across triggers (manual: PL/pgSQL, Obtaining Execution Location
# Information). The caller's role writes the row, so that `current_user` is the role that wrote.
_MADE = f"""
create schema {SCHEMA};
create table {SCHEMA}.written (
  n bigint generated always as identity primary key, depth integer not null, relation bigint not null, op text not null,
  role text not null, was jsonb, now jsonb, context text not null
);
grant usage on schema {SCHEMA} to public;
grant insert on {SCHEMA}.written to public;
create function {SCHEMA}.note() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $body$
declare
  v_context text;
begin
  get diagnostics v_context = pg_context;
  insert into {SCHEMA}.written (depth, relation, op, role, was, now, context)
  values (pg_trigger_depth(), tg_relid, tg_op, current_user, case when tg_op <> 'INSERT' then to_jsonb(old) end,
    case when tg_op <> 'DELETE' then to_jsonb(new) end, v_context);
  return null;
end
$body$;
grant execute on function {SCHEMA}.note() to public;
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A row written. `depth` is 1 for what the client's own statement wrote, 2 for what a trigger did, and so on.

    `frames` are the functions it happened in, the innermost first, as (name, line); `was_of` and `now_of` whose the row was and is.
    """

    number: int
    depth: int
    table: ObjectId
    op: str
    role: str
    was: Mapping[str, object] | None
    now: Mapping[str, object] | None
    frames: tuple[tuple[str, int], ...]
    was_of: Side | None = None
    now_of: Side | None = None

    @property
    def by_function(self) -> bool:
        """Whether a function wrote it, in a trigger, and no foreign key's action."""
        return self.depth > 1 and bool(self.frames)

    def of(self, side: Side) -> bool:
        return side in (self.was_of, self.now_of)


@dataclass(frozen=True, slots=True)
class Trace:
    """What is recorded: tables by OID, partitions under the table they belong to."""

    tables: Mapping[int, ObjectId]


def installed(connection: Connection) -> Trace:
    """Puts the recording triggers on every table. To be called in a transaction that will be rolled back."""
    found = connection.execute(_TABLES).fetchall()
    connection.execute(_MADE)
    for schema, name, _ in found:
        connection.execute(
            f"create trigger zzzz_{SCHEMA} after insert or update or delete on {ident(schema, name)} for each row"
            f" execute function {SCHEMA}.note()".encode()
        )
    tables = {oid: ObjectId("table", schema, name) for schema, name, oid in found}
    parts = connection.execute(
        "select p.relid::oid::bigint, pg_catalog.pg_partition_root(p.relid)::oid::bigint from pg_catalog.pg_class as c, pg_catalog.pg_partition_tree(c.oid)"
        " as p where c.relkind = 'p' and not c.relispartition and p.parentrelid is not null order by 1"
    ).fetchall()
    return Trace({**tables, **{part: tables[root] for part, root in parts if root in tables}})


def clear(connection: Connection) -> None:
    """Forgets what was recorded before, inside the savepoint of a try."""
    connection.execute(f"delete from {SCHEMA}.written")


def noted(connection: Connection, trace: Trace, world: World) -> tuple[Note, ...]:
    """What was written since the savepoint began, in order, and whose each row is."""
    rows = connection.execute(
        f"select n, depth, relation, op, role, was, now, context from {SCHEMA}.written order by n"
    ).fetchall()
    held: dict[ObjectId, set[int]] = {}
    for row in rows:
        held.setdefault(trace.tables[row[2]], set()).add(row[2])
    sides = _sides(connection, held, world)
    return tuple(
        Note(
            n,
            depth,
            trace.tables[relation],
            op,
            role,
            was,
            now,
            frames_of(context),
            *sides.get(n, (None, None)),
        )
        for n, depth, relation, op, role, was, now, context in rows
    )


def frames_of(context: str) -> tuple[tuple[str, int], ...]:
    """The functions on a stack of calls as PostgreSQL prints it, the innermost first, with their lines."""
    found = [(name, int(line or 0)) for name, line in _FRAME.findall(context)]
    return tuple(frame for frame in found if not frame[0].startswith(f"{SCHEMA}."))


def _sides(
    connection: Connection, held: Mapping[ObjectId, Iterable[int]], world: World
) -> dict[int, tuple[Side | None, Side | None]]:
    """By the number of a note, whose its rows were and are, as the tenancy's expressions say now; where a parent is gone meanwhile, as it was
    known before."""
    found: dict[int, tuple[Side | None, Side | None]] = {}
    for table, oids in sorted(held.items()):
        owned = world.tenancy.tables.get(table)
        if owned is None or not owned.owner:
            continue
        name = ident(table.schema, table.name)
        rows = connection.execute(
            f"select w.n, {_owner(name, owned.owner, 'w.was')}, {_owner(name, owned.owner, 'w.now')}, w.was from {SCHEMA}.written as w"
            f" where w.relation in ({', '.join(map(str, sorted(oids)))}) order by 1".encode()
        )
        for n, was, now, image in rows.fetchall():
            before = _side(was, world) or (_known(image, table, world) if was is None and image else None)
            found[n] = (before, _side(now, world))
    return found


def _owner(table: str, expression: str, image: str) -> str:
    return f"case when {image} is not null then (select {expression} from pg_catalog.jsonb_populate_record(null::{table}, {image}) as x) end"


def _side(key: str | None, world: World) -> Side | None:
    for side in ("A", "B"):
        if key is not None and (key == world.keys.get(side) or key in world.users.get(side, ())):
            # who belongs to both is nobody's alone
            return (
                None
                if any(key in world.users.get(other, ()) for other in ("A", "B") if other != side)
                else side
            )
    return None


def _known(image: Mapping[str, object], table: ObjectId, world: World) -> Side | None:
    """Whose row it was by its values, where everything that is text or a number there is the same."""
    for side in ("A", "B"):
        for row in world.rows.get(side, {}).get(table, ()):
            same = [
                str(image[name]) == value
                for name, value in row.values.items()
                if value is not None
                and isinstance(image.get(name), str | int)
                and not isinstance(image.get(name), bool)
            ]
            if same and all(same):
                return side
    return None
