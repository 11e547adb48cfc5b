"""The DDL listener: an event trigger on the target that tells, at commit, that a definition changed and who did it.

It is a hint and never the truth: it misses roles, settings of the database and whatever runs in replica mode (manual, Event
Triggers). Promises never to make a statement of somebody else fail: whatever goes wrong in it is swallowed, what it tells is
short, and it tells nothing where a two-phase commit could follow, which NOTIFY forbids (manual, PREPARE TRANSACTION).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler import migrate
from reconciler.errors import Stalled
from reconciler.pg import connect, ident
from reconciler.settings import Database

Connection = psycopg.Connection[TupleRow]

CHANNEL = "reconciler_ddl"
TRIGGERS = ("reconciler_ddl_command", "reconciler_ddl_drop")

_FUNCTION = """
create or replace function reconciler.on_ddl() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $body$
declare
  touched jsonb;
  told text;
begin
  -- NOTIFY would forbid PREPARE TRANSACTION, and fail the commit where its queue is full.
  if current_setting('max_prepared_transactions')::integer > 0 or pg_notification_queue_usage() > 0.5 then
    return;
  end if;
  if tg_event = 'sql_drop' then
    select jsonb_agg(distinct jsonb_build_array(o.object_type, o.object_identity)) into touched
      from pg_event_trigger_dropped_objects() as o
     where o.original and not o.is_temporary and o.schema_name is distinct from 'reconciler';
  else
    select jsonb_agg(distinct jsonb_build_array(o.object_type, o.object_identity)) into touched
      from pg_event_trigger_ddl_commands() as o
     where o.schema_name is distinct from 'pg_temp' and o.schema_name is distinct from 'reconciler';
  end if;
  if touched is null then
    return;
  end if;
  told := jsonb_build_object('command', tg_tag, 'objects', touched, 'user', session_user::text,
    'application', left(current_setting('application_name', true), 60), 'client', coalesce(host(inet_client_addr()), 'local'),
    'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'pid', pg_backend_pid())::text;
  if octet_length(told) > 7900 then
    told := jsonb_build_object('command', tg_tag, 'user', session_user::text, 'pid', pg_backend_pid())::text;
  end if;
  perform pg_notify('reconciler_ddl', told);
exception when others then
  null;
end
$body$
"""
_NOT_PUBLIC = "revoke all on function reconciler.on_ddl() from public"
_MAKE = (
    "create event trigger reconciler_ddl_command on ddl_command_end execute function reconciler.on_ddl()",
    "create event trigger reconciler_ddl_drop on sql_drop execute function reconciler.on_ddl()",
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What the listener can do here. `limits` are sentences."""

    limits: tuple[str, ...] = ()


def install(database: Database) -> Installed:
    """Makes the listener, or makes it anew. Raises Stalled without the right: only a superuser may, or what the provider gives instead."""
    with connect(database.target()) as live:
        migrate.ensure(live)
        try:
            with live.transaction():
                live.execute(_FUNCTION.encode())
                live.execute(_NOT_PUBLIC)
                for trigger, sql in zip(TRIGGERS, _MAKE, strict=True):
                    live.execute(f"drop event trigger if exists {ident(trigger)}".encode())
                    live.execute(sql.encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise Stalled(
                f"the listener cannot be installed: {error.diag.message_primary}",
                hint="an event trigger needs a superuser (Supabase: postgres; RDS: rds_superuser; Cloud SQL: cloudsqlsuperuser)."
                " Without it drift is found at check_interval",
            ) from None
        row = live.execute(
            "select pg_catalog.current_setting('max_prepared_transactions')::integer"
        ).fetchone()
    if row is not None and row[0] > 0:
        return Installed(
            (
                "max_prepared_transactions is above 0: a notification would forbid PREPARE TRANSACTION, so nothing is told",
            )
        )
    return Installed()


def remove(database: Database) -> bool:
    """Takes the listener away; whether there was one."""
    with connect(database.target()) as live:
        row = live.execute(
            "select pg_catalog.count(*) from pg_catalog.pg_event_trigger where evtname = any(%s)",
            (list(TRIGGERS),),
        ).fetchone()
        if row is None or not row[0]:
            return False
        try:
            with live.transaction():
                for trigger in TRIGGERS:
                    live.execute(f"drop event trigger if exists {ident(trigger)}".encode())
                live.execute("drop function if exists reconciler.on_ddl()")
        except psycopg.errors.InsufficientPrivilege as error:
            raise Stalled(
                f"the listener cannot be removed: {error.diag.message_primary}",
                hint="its owner may, or a superuser",
            ) from None
    return True


def tell(live: Connection) -> None:
    """Has every process that looks after this database look now, whoever leads. Needs no right; on a standby nobody hears it."""
    with suppress(psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported):
        live.execute("select pg_catalog.pg_notify(%s, '')", (CHANNEL,))


def listen(live: Connection) -> None:
    """Has this session hear of DDL; on a standby, where that is impossible, it hears of none."""
    with suppress(psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.FeatureNotSupported):
        live.execute(f"listen {CHANNEL}".encode())
