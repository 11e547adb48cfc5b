"""A database with one object of every kind: all are read, and what no kind would read is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from reconciler.catalog import snapshot, unmodelled
from reconciler.catalog.kinds import REGISTRY
from reconciler.catalog.scope import EVERYTHING, Scope
from reconciler.embedded import Server

SCRIPT = (Path(__file__).parent / "one_of_everything.sql").read_text().split("\n", 2)[2]
ROLE = "one_of_everything"
WHOLE = Scope(cluster=True)

LINKS = frozenset({"column", "partition", "owned_by", "clustered", "replica_identity", "membership"})
"""Kinds that say how another object is made or hangs together, not that it exists: nothing is missed without them but that."""


def statements(major: int) -> Iterator[str]:
    for statement in SCRIPT.split("\n--\n"):
        since = re.match(r"-- since (\d+)\n", statement)
        if since is None or int(since[1]) <= major:
            yield statement.replace("{role}", ROLE)


@pytest.fixture
def everything(server: Server, connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The connection to a database that holds one of each."""
    connection.execute(f"create role {ROLE}")
    try:
        for statement in statements(server.major):
            connection.execute(statement)
        yield connection
    finally:
        connection.execute("drop subscription if exists fed")
        connection.execute(f"drop owned by {ROLE}")
        connection.execute(f"drop role {ROLE}")


@pytest.mark.majors
def test_every_kind_is_read_and_nothing_is_left_over(server: Server, everything: psycopg.Connection) -> None:
    found = snapshot.read(everything, WHOLE)
    assert found.unmodelled == ()
    missing = {kind.name for kind in REGISTRY} - {id.kind for id in found.facts}
    assert missing <= {"extension", "clustered", "replica_identity"} | (
        {"publication_schema"} if server.major < 15 else set()
    )


@pytest.mark.majors
def test_what_no_kind_reads_is_named(server: Server, everything: psycopg.Connection) -> None:
    found = everything.execute(unmodelled.question(WHOLE, server.major)).fetchall()
    read = {
        kind.name: everything.execute(
            f"select k.classid, k.objid from ({kind.read(WHOLE, server.major)}) as k where k.subid = 0"
        ).fetchall()
        for kind in REGISTRY
    }
    for kind, addresses in read.items():
        others = {(row[0], row[1], 0) for name, rows in read.items() if name != kind for row in rows}
        named = unmodelled.named(everything, found, others)
        assert bool(named) == bool(addresses and kind not in LINKS | {"builtin_privilege"}), kind


@pytest.mark.majors
def test_every_catalog_is_asked_or_left_out_for_a_reason(
    server: Server, connection: psycopg.Connection
) -> None:
    rows = connection.execute(
        "select c.relname from pg_catalog.pg_class as c where c.relnamespace = 'pg_catalog'::regnamespace and"
        " c.relkind = 'r' and exists (select from pg_catalog.pg_attribute as a where a.attrelid = c.oid and"
        " a.attname = 'oid')"
    ).fetchall()
    asked = {catalog.name for catalog in unmodelled.CATALOGS if catalog.since <= server.major}
    assert {row[0] for row in rows} - asked - unmodelled.LEFT_OUT.keys() == set()
    assert not asked & unmodelled.LEFT_OUT.keys()


def test_a_base_type_has_no_kind_and_is_named(connection: psycopg.Connection) -> None:
    connection.execute("create type public.raw")
    connection.execute(
        "create function public.raw_in(cstring) returns public.raw language internal immutable strict as 'textin'"
    )
    connection.execute(
        "create function public.raw_out(public.raw) returns cstring language internal immutable strict as 'textout'"
    )
    connection.execute("create type public.raw (input = public.raw_in, output = public.raw_out)")
    found = snapshot.read(connection)
    assert found.unmodelled == ("type public.raw",)
    assert snapshot.read(connection, depth="digests").unmodelled == found.unmodelled
    assert snapshot.read(connection, Scope(schemas=frozenset({"elsewhere"}))).unmodelled == ()


def test_what_an_extension_or_the_system_brings_is_nobodys(connection: psycopg.Connection) -> None:
    connection.execute("create temporary table short (id integer primary key, note text default 'x')")
    assert snapshot.read(connection).unmodelled == ()


@pytest.mark.parametrize(
    "scope",
    [
        Scope(hidden=frozenset({"app"})),
        Scope(schemas=frozenset({"public"})),
        Scope(outside=False),
        Scope(schemas=frozenset({"public"}), outside=False),
    ],
    ids=str,
)
def test_what_is_out_of_scope_is_not_named(everything: psycopg.Connection, scope: Scope) -> None:
    everything.execute("create schema reconciler")
    everything.execute(
        "create function reconciler.watch() returns event_trigger language plpgsql as 'begin end'"
    )
    everything.execute("create event trigger ours on sql_drop execute function reconciler.watch()")
    everything.execute("alter default privileges in schema reconciler grant select on tables to public")
    found = snapshot.read(everything, scope)
    assert found.unmodelled == ()
    assert not {id for id in found.facts if "reconciler" in (id.schema, id.name) or id.name == "ours"}


def test_a_policy_on_an_extensions_table_is_named(connection: psycopg.Connection) -> None:
    """pg_dump prints it, and no kind reads parts of what an extension brought."""
    connection.execute("create table public.t (id integer)")
    connection.execute("alter extension plpgsql add table public.t")
    assert snapshot.read(connection).unmodelled == ()
    connection.execute("create policy p on public.t using (true)")
    assert snapshot.read(connection).unmodelled == ("policy p on public.t",)


def test_roles_are_read_only_when_asked_for(everything: psycopg.Connection) -> None:
    assert not {"role", "membership"} & {id.kind for id in snapshot.read(everything, EVERYTHING).facts}


def test_no_secret_is_in_a_snapshot(everything: psycopg.Connection) -> None:
    found = snapshot.read(everything, WHOLE)
    assert "hidden" not in repr(found)
    options = {id.kind: fact["options"] for id, fact in found.facts.items() if fact["options"]}
    assert options["server"] == {"host": "h", "password": "${SERVER_FAR_PASSWORD}"}
    assert options["user_mapping"]["password"] == "${USER_MAPPING_FAR_PUBLIC_PASSWORD}"
    assert options["foreign_table"] == {"token": "${FOREIGN_TABLE_APP_FAR_TOKEN}"}
