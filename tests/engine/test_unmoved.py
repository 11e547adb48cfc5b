"""An answer is remembered as long as nothing moved, and not a moment longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from reconciler.embedded import Server, scratch
from reconciler.engine import cache, unmoved
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.engine.unmoved import settled
from reconciler.pg import Url, connect

from .conftest import Project

BASE = """
create table public.t (id integer primary key, note text);
create policy mine on public.t using (true);
alter table public.t owner to unmoved_one;
"""

MOVES = (
    "alter role unmoved_one rename to unmoved_other",  # changes owners and access lists, and no catalog of the database
    "alter role unmoved_other rename to unmoved_one",
    "grant select (note) on public.t to unmoved_two",
    "alter default privileges in schema public grant select on tables to unmoved_two",
    "comment on role unmoved_one is 'said'",
    "comment on column public.t.note is 'said'",
    "alter role unmoved_one bypassrls",
    "grant unmoved_one to unmoved_two",
    "revoke unmoved_one from unmoved_two",
    "alter role unmoved_two set work_mem = '8MB'",
    "alter policy mine on public.t to unmoved_two",
    "alter table public.t alter column note set statistics 7",
    "alter sequence public.s owned by public.t.id",
    "set timezone to 'Asia/Tokyo'",
    "set datestyle to 'German'",
    "set role unmoved_one",
)
STILL = (
    "insert into public.t values (1, 'x')",
    "analyze public.t",
    "vacuum public.t",
    "vacuum pg_catalog.pg_class",
    "select pg_catalog.nextval('public.s')",
)


@pytest.fixture
def roles(server: Server) -> Iterator[None]:
    gone = "drop role if exists unmoved_one, unmoved_two, unmoved_other"
    with connect(server.url) as connection:
        connection.execute(gone)
        connection.execute("create role unmoved_one")
        connection.execute("create role unmoved_two")
    yield
    with connect(server.url) as connection:
        connection.execute("drop owned by unmoved_one, unmoved_two")
        connection.execute(gone)


def test_what_a_snapshot_shows_is_part_of_the_name_of_a_state(
    roles: None, connection: psycopg.Connection
) -> None:
    connection.execute(BASE + "create sequence public.s; alter sequence public.s owner to unmoved_one;")
    try:
        for statement in STILL:
            before = unmoved.state(connection)
            connection.execute(statement)
            assert unmoved.state(connection) == before, statement
        for statement in MOVES:
            before = unmoved.state(connection)
            connection.execute(statement)
            assert unmoved.state(connection) != before, statement
    finally:
        connection.execute("reset role")
        connection.execute("drop table public.t; drop owned by unmoved_one, unmoved_two")


def test_another_database_of_the_same_name_is_another_state(server: Server) -> None:
    found = []
    with connect(server.url) as admin:
        for _ in range(2):
            admin.execute("create database unmoved_again")
            try:
                with connect(server.url.with_database("unmoved_again")) as connection:
                    found.append(unmoved.state(connection))
            finally:
                admin.execute("drop database unmoved_again with (force)")
    assert found[0] != found[1]


def test_another_server_with_the_same_content_is_another_state() -> None:
    """What a backup restored elsewhere, or in place, looks like: all numbers the same, but another run."""
    found = []
    for _ in range(2):
        with scratch() as server, connect(server.url) as connection:
            connection.execute(BASE.replace("alter table public.t owner to unmoved_one;", ""))
            found.append((unmoved.probe(connection).split(":")[:3], unmoved.state(connection)))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_nothing_is_read_again_while_nothing_moved(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(
        "create table public.t (id integer primary key);",
        live="create table public.t (id integer primary key)",
    )
    first = drift(made.database)
    assert not first.changes
    with monkeypatch.context() as patch:
        patch.setattr(unmoved.catalog, "probed", None)
        patch.setattr("reconciler.declare.read", None)
        again, plan = drift(made.database), propose(made.database)
    assert not again.changes
    assert again.after.fingerprint == first.after.fingerprint
    assert plan.plan.before == first.before.fingerprint
    assert plan.rehearsal is not None and plan.rehearsal.passed

    made.sql("alter table public.t add column more text")
    assert [str(c.id) for c in drift(made.database).changes] == ["public.t.more"]
    made.sql("alter table public.t drop column more")
    assert not drift(made.database).changes
    made.declare("create table public.t (id integer primary key, note text);")
    assert settled(made.database, trust="reviewed") is None
    assert [str(c.id) for c in drift(made.database).changes] == ["public.t.note"]
    assert settled(made.database, trust="reviewed") is None


def test_the_live_snapshot_is_reused_where_declarations_differ(
    project: Callable[..., Project], database: Callable[..., Url], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(
        "create table public.t (id integer primary key, note text);",
        live="create table public.t (id integer)",
    )
    first = drift(made.database)
    monkeypatch.setattr(unmoved.catalog, "probed", None)
    again = drift(made.database)
    assert again.changes == first.changes
    assert again.before.fingerprint == first.before.fingerprint
    assert again.before.facts.keys() == first.before.facts.keys()
    assert all(
        dict(again.before.facts[id].attributes) == dict(f.attributes) for id, f in first.before.facts.items()
    )
    assert {i: n for i, n in again.before.edges.items() if n} == {
        i: n for i, n in first.before.edges.items() if n
    }


def test_nothing_is_believed_the_day_after(monkeypatch: pytest.MonkeyPatch) -> None:
    name = cache.key("what", "it depends on")
    assert cache.key("what", "it depends on") == name
    monkeypatch.setattr("time.gmtime", lambda: time.struct_time((2001, 2, 3, 4, 5, 6, 5, 34, 0)))
    assert cache.key("what", "it depends on") != name
