"""Gates: places inside a statement where a session waits until the controller lets it go on.

A gate is a trigger of ours, BEFORE … FOR EACH STATEMENT, on a table that is written: whoever is about to write there takes an advisory
lock that the controller holds, and gives it back at once. Each gate has two such locks, used in turn, so that who was let through
one gate cannot slip through the next before the first is closed again. The user's triggers and functions stay as they are. Names begin so
that a gate fires before any other trigger of its kind (manual: Overview of Trigger Behavior, alphabetical order).
"""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg.rows import TupleRow

from reconciler.model import ObjectId
from reconciler.pg import ident, literal

Connection = psycopg.Connection[TupleRow]
SCHEMA = "reconciler_lab"
CLASS = 0x6C6162
"""First key of the advisory locks ("lab" in ASCII)."""
_SPAN = 20_000
EVENTS = ("INSERT", "UPDATE", "DELETE")

_FUNCTION = f"""
create schema if not exists {SCHEMA};
grant usage on schema {SCHEMA} to public;
create or replace function {SCHEMA}.stop(p_gate int) returns void language plpgsql security definer set search_path = '' as $stop$
declare
  v_session int := nullif(pg_catalog.current_setting('{SCHEMA}.session', true), '')::int;
  v_key int;
begin
  if v_session is not null then
    -- a sequence, because what else counts is undone with a subtransaction
    v_key := v_session * {_SPAN} + 2 * p_gate + pg_catalog.nextval(('{SCHEMA}.turn_' || v_session)::pg_catalog.regclass) % 2;
    perform pg_catalog.pg_advisory_lock({CLASS}, v_key);
    perform pg_catalog.pg_advisory_unlock({CLASS}, v_key);
  end if;
end
$stop$;
create or replace function {SCHEMA}.gate() returns trigger language plpgsql security definer set search_path = '' as $gate$
begin
  perform {SCHEMA}.stop(tg_argv[0]::int);
  return null;
end
$gate$;
"""


def install(connection: Connection, tables: Iterable[ObjectId]) -> dict[int, str]:
    """A gate for each event of each table; returns what each number means."""
    connection.execute(_FUNCTION)
    found: dict[int, str] = {}
    for table in sorted(set(tables)):
        for event in EVENTS:
            number = len(found) + 1
            found[number] = f"{event} on {table}"
            connection.execute(
                f"create trigger {ident(f' {SCHEMA} {event.lower()}')} before {event} on {ident(table.schema, table.name)}"
                f" for each statement execute function {SCHEMA}.gate({literal(str(number))})"
            )
    return found


def sessions(connection: Connection, count: int) -> None:
    """What each session counts its gates with."""
    for session in range(count):
        connection.execute(f"create sequence if not exists {SCHEMA}.turn_{session}")


def keys(session: int, gate: int) -> tuple[int, int]:
    """The second keys of the two locks of a gate."""
    return session * _SPAN + 2 * gate, session * _SPAN + 2 * gate + 1


def gate_of(key: int) -> int:
    return key % _SPAN // 2
