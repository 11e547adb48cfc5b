"""What was applied to a database, kept in that database: schema `reconciler`, one row per run of UP or DOWN.

Promises that a row is written in the transaction of the change it tells about, that the schema can be made
by two processes at once, and that nobody but its owner may read it until somebody grants that. Never
deletes a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Literal

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

import reconciler
from reconciler.errors import Stalled
from reconciler.migrate.file import parse, render_section, timeout_lines_of
from reconciler.migrate.history_schema import FORMAT, UPGRADES
from reconciler.model import Applied, Consent, Migration
from reconciler.pg import ident

Connection = psycopg.Connection[TupleRow]
Direction = Literal["up", "down"]
State = Literal["applied", "partly applied", "rolled back", "partly rolled back"]

CLASS = 0x7265636F
"""First key of our advisory locks ("reco"); the second says what is locked."""
_MAKING = 0x68697374

_THERE = """
select pg_catalog.count(*) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
 where n.nspname = 'reconciler' and c.relname = any(%s) and c.relkind = 'r'
"""
_TIME = """pg_catalog.to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_READ = f"""
select version, slug, checksum, direction,
       applied_by || case when client <> '' then ' (' || client || ')' else '' end,
       {_TIME.format("started_at")}, coalesce({_TIME.format("finished_at")}, ''), seconds, steps_done, steps,
       up_sql, down_sql, before, after, tool, pg_catalog.to_jsonb(m) -> 'consents'
  from reconciler.migrations as m
 order by id
"""


def ensure(connection: Connection) -> None:
    """Makes or upgrades the schema `reconciler`; does nothing, and needs no right, when it is as it should
    be.

    `connection` is idle. Raises `Stalled` without the right to create it, and for a schema that a newer
    version of this program made.
    """
    with permitted(connection):
        if _format(connection) == FORMAT:
            return
        # Locked before the transaction begins: under REPEATABLE READ, which may be the role's default, its
        # snapshot would otherwise be older than what another process has just made.
        connection.execute("select pg_catalog.pg_advisory_lock(%s, %s)", (CLASS, _MAKING))
        try:
            with connection.transaction():
                for number in range(_format(connection), FORMAT):
                    connection.execute(UPGRADES[number].encode())
                    connection.execute("insert into reconciler.format (version) values (%s)", (number + 1,))
        finally:
            if not connection.closed:
                connection.execute("select pg_catalog.pg_advisory_unlock(%s, %s)", (CLASS, _MAKING))


def read(connection: Connection) -> tuple[Applied, ...]:
    """All rows, oldest first; empty where nothing was ever applied. Works in a read-only session and inside a
    transaction. Raises `Stalled` when this role may not read the history.
    """
    with permitted(connection):
        if not there(connection, "format", "migrations"):
            return ()
        rows = connection.execute(_READ.encode()).fetchall()
    # A history that no applier has brought forward yet has no consents.
    return tuple(
        replace(Applied(*row[:-1]), consents=tuple(Consent(**one) for one in row[-1] or ())) for row in rows
    )


def there(connection: Connection, *tables: str) -> bool:
    """Whether all of these tables are in schema `reconciler`. Takes no right."""
    row = connection.execute(_THERE, (list(tables),)).fetchone()
    return row is not None and row[0] == len(tables)


def latest(history: Sequence[Applied]) -> dict[str, Applied]:
    """The row that counts for each version: its last."""
    return {row.version: row for row in history}


def state_of(row: Applied) -> State:
    """Where the database stands with this version, when `row` is its last."""
    whole = row.steps_done >= row.steps
    if row.direction == "up":
        return "applied" if whole else "partly applied"
    return "rolled back" if whole else "partly rolled back"


def pending(history: Sequence[Applied], migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """The migrations whose UP is not, or not wholly, in the database, in the order of their versions.

    A migration that was rolled back is pending again. One that is older than the newest applied is too:
    whether it may run is for `apply` to say.
    """
    rows = latest(history)
    return tuple(
        migration
        for migration in sorted(migrations, key=lambda migration: migration.version)
        if migration.version not in rows or state_of(rows[migration.version]) != "applied"
    )


def edited(history: Sequence[Applied], migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """The files that are not what was applied from them."""
    rows = latest(history)
    return tuple(
        migration
        for migration in migrations
        if migration.version in rows
        and state_of(rows[migration.version]) == "applied"
        and rows[migration.version].checksum != migration.checksum
    )


def restored(row: Applied) -> Migration:
    """The migration as it was applied, from the history alone: for a rollback or `show` without the file."""
    down = f"-- DOWN\n{row.down_sql}" if row.down_sql else "-- DOWN none: it cannot be undone"
    title = [f"-- reconciler migration {row.version} {row.slug}", *timeout_lines_of(row.up_sql)]
    text = "\n".join([*title, "-- UP", row.up_sql, "\\quit", down])
    found = parse(text, f"{row.version}_{row.slug}.sql")
    return replace(found, before=row.before, after=row.after)


def record(
    connection: Connection,
    migration: Migration,
    direction: Direction,
    *,
    done: int,
    steps: int,
    seconds: float = 0.0,
    client: str = "",
    consents: Sequence[Consent] = (),
) -> None:
    """Writes that `done` of `steps` steps are in the database, in the caller's transaction.

    The first step of a run makes its row, the later ones bring it forward; `seconds` is what this step took. `done` is 0 when the first
    step is one that takes effect before it can be recorded.
    `client` says who at which machine, beyond the database role; `consents` which hazards were allowed for this run. With `done` equal to `steps` from the start
    the row is a baseline: something found in the database and not run.
    """
    with permitted(connection):
        if _bring_forward(connection, migration, direction, done, steps, seconds, consents):
            return
        connection.execute(
            "update reconciler.migrations set finished_at = pg_catalog.clock_timestamp()"
            " where version = %s and finished_at is null",
            (migration.version,),
        )
        connection.execute(
            """
            insert into reconciler.migrations
              (version, slug, checksum, direction, applied_by, client, started_at, finished_at, seconds,
               steps_done, steps, up_sql, down_sql, before, after, tool, consents)
            values (%(version)s, %(slug)s, %(checksum)s, %(direction)s, session_user, %(client)s,
                    pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(seconds)s),
                    case when %(done)s >= %(steps)s then pg_catalog.clock_timestamp() end, %(seconds)s,
                    %(done)s, %(steps)s, %(up)s, %(down)s, %(before)s, %(after)s, %(tool)s,
                    %(consents)s)
            """,
            {
                "version": migration.version,
                "slug": migration.slug,
                "checksum": migration.checksum,
                "direction": direction,
                "client": client,
                "seconds": seconds,
                "done": done,
                "steps": steps,
                "up": render_section(migration, "up"),
                "down": render_section(migration, "down") if migration.down else "",
                "before": migration.before,
                "after": migration.after,
                "tool": reconciler.__version__,
                "consents": _as_json(consents),
            },
        )


def _bring_forward(
    connection: Connection,
    migration: Migration,
    direction: Direction,
    done: int,
    steps: int,
    seconds: float,
    consents: Sequence[Consent],
) -> bool:
    """Advances the unfinished row; its scripts follow, because what is not yet run may have been edited."""
    changed = connection.execute(
        """
        update reconciler.migrations
           set steps_done = %(done)s, steps = %(steps)s, seconds = seconds + %(seconds)s, checksum = %(checksum)s,
               up_sql = %(up)s, down_sql = %(down)s,
               consents = coalesce((select pg_catalog.jsonb_agg(distinct one) from
                 pg_catalog.jsonb_array_elements(consents || %(consents)s) as one), '[]'),
               finished_at = case when %(done)s >= %(steps)s then pg_catalog.clock_timestamp() end
         where version = %(version)s and direction = %(direction)s and finished_at is null
        """,
        {
            "version": migration.version,
            "direction": direction,
            "done": done,
            "steps": steps,
            "seconds": seconds,
            "checksum": migration.checksum,
            "up": render_section(migration, "up"),
            "down": render_section(migration, "down") if migration.down else "",
            "consents": _as_json(consents),
        },
    )
    return changed.rowcount == 1


def _as_json(consents: Sequence[Consent]) -> Jsonb:
    return Jsonb([asdict(one) for one in consents])


def _format(connection: Connection) -> int:
    if not there(connection, "format", "migrations"):
        return 0
    found = connection.execute("select pg_catalog.max(version) from reconciler.format").fetchone()
    version = found[0] or 0 if found else 0
    if version > FORMAT:
        raise Stalled(
            f"the history in this database has format {version}; this version of reconciler knows {FORMAT}",
            hint="use the newer reconciler that wrote it",
        )
    return int(version)


@contextmanager
def permitted(connection: Connection) -> Iterator[None]:
    """Says which right is missing, and how to give it."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        role, database = ident(connection.info.user), ident(connection.info.dbname)
        raise Stalled(
            f"role {role} may not use the history in schema reconciler: {error.diag.message_primary}",
            hint=f"to read: grant usage on schema reconciler to {role};"
            f" grant select on all tables in schema reconciler to {role};"
            f" to apply: the schema must belong to {role}, or: grant create on database {database} to {role};",
        ) from error
