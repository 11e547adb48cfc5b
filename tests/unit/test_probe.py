"""The probe moves with every change of a definition, whoever looks, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from reconciler.catalog.probe import probe
from reconciler.embedded import Server
from reconciler.pg import Url, connect

BASE = """
create table public.t (id integer primary key, note text);
insert into public.t values (1, 'x');
create foreign data wrapper w;
create server s foreign data wrapper w;
create user mapping for public server s options ("user" 'a', password 'one');
create publication p;
create text search configuration public.c (parser = default);
create operator family public.f using btree;
create subscription fed connection 'host=h' publication a with (connect = false, slot_name = none);
"""

MOVES = (
    "alter table public.t add column more text",
    "comment on column public.t.note is 'said'",
    "alter user mapping for public server s options (set \"user\" 'b')",
    "alter server s options (add host 'h')",
    "alter publication p add table public.t",
    "alter publication p set (publish = 'insert')",
    "alter text search configuration public.c add mapping for word with simple",
    "alter operator family public.f using btree add operator 1 <(int2, int2)",
    "alter default privileges revoke execute on functions from public",
    "revoke execute on function pg_catalog.pg_sleep(double precision) from public",
    "grant select (rolname) on pg_catalog.pg_authid to pg_monitor",
    "grant usage on language sql to pg_monitor",
    "alter subscription fed set (binary = true)",
    "create cast (public.t as point) with inout",
)

STILL = (
    "insert into public.t values (2, 'y')",
    "update public.t set note = 'z'",
    "analyze public.t",
    "alter user mapping for public server s options (set password 'two')",
    "select pg_catalog.set_config('search_path', 'public', false)",
)


@pytest.mark.majors
def test_every_change_is_seen_and_no_other(server: Server, database: Callable[..., Url]) -> None:
    url = database()
    with connect(url) as session:
        try:
            session.execute(BASE)
            for statement in MOVES:
                before = probe(session)
                session.execute(statement)
                assert probe(session) != before, statement
            for statement in STILL:
                before = probe(session)
                session.execute(statement)
                assert probe(session) == before, statement
        finally:
            session.execute("drop subscription if exists fed")


def test_any_role_may_look(server: Server, connection: psycopg.Connection) -> None:
    connection.execute(BASE.replace("create subscription", "-- create subscription"))
    connection.execute("create role probe_reader")
    try:
        connection.execute("set role probe_reader")
        seen = probe(connection)
        connection.execute("reset role")
        connection.execute("alter table public.t add column more text")
        connection.execute("set role probe_reader")
        assert probe(connection) != seen
    finally:
        connection.execute("reset role")
        connection.execute("drop role probe_reader")
