"""Default privileges that somebody set on the target decide about new objects: about what is there and declared they say nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reconciler.embedded import Server
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.pg import connect

from .conftest import Project

SCHEMA = "create schema app; create table app.t (id integer primary key); create sequence app.s;"
GIVES = "alter default privileges in schema app grant select on tables to public;"


@pytest.fixture(autouse=True)
def reader(server: Server) -> Iterator[None]:
    with connect(server.url) as connection:
        connection.execute("create role defaults_reader")
    yield
    with connect(server.url) as connection:
        connection.execute("drop role defaults_reader")


def _differs(project: Project) -> list[tuple[str, str]]:
    return [(change.verb, f"{change.id.kind} {change.id}") for change in drift(project.database).changes]


@pytest.mark.parametrize(
    "made", ["create schema if not exists app;", "create schema app authorization current_user;"]
)  # fmt: skip
def test_nobody_is_granted_anything_because_of_them(project: Callable[..., Project], made: str) -> None:
    declared = SCHEMA.replace("create schema app;", made)
    p = project(declared, live=SCHEMA)
    assert _differs(p) == []
    p.sql(GIVES + "alter default privileges revoke execute on functions from public;")
    assert _differs(p) == []  # the table of before has no grant, and wants none
    p.sql("grant create on schema app to public; grant update on app.t to defaults_reader")
    assert _differs(p) == [("alter", "schema app"), ("alter", "table app.t")]
    p.sql("revoke create on schema app from public; revoke update on app.t from defaults_reader")
    assert _differs(p) == []


def test_what_is_declared_is_missed_though_they_would_give_it(project: Callable[..., Project]) -> None:
    p = project(
        SCHEMA + "grant select on app.t to defaults_reader;",
        live=SCHEMA + GIVES.replace("public", "defaults_reader"),
    )
    assert _differs(p) == [("alter", "table app.t")]
    assert [s.sql for s in propose(p.database).plan.up] == ["grant select on table app.t to defaults_reader"]


def test_a_table_that_was_made_under_them_is_as_declared(project: Callable[..., Project]) -> None:
    p = project(
        SCHEMA, live=SCHEMA.replace("create table", f"{GIVES} create table") + "grant usage on app.s to public;"
    )  # fmt: skip
    assert _differs(p) == [("alter", "sequence app.s")]
    p.sql("revoke select on app.t from public")
    assert _differs(p) == [("alter", "sequence app.s")]
