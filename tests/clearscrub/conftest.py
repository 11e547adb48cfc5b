"""ClearScrub on a real server: loaded once per server, copied for every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from world import OWNER, load, seed

from reconciler.embedded import Server
from reconciler.pg import Url, connect, ident
from reconciler.platforms import prelude


@pytest.fixture(scope="session")
def template_of(server_of: object) -> Callable[[Server], Url]:
    """The database to copy, by server: prelude, declarations owned by `OWNER`, rows. It lives as long as the
    server does, and so do the platform's roles.
    """
    made: dict[int, Url] = {}

    def template(server: Server) -> Url:
        if server.pid not in made:
            name = f"clearscrub_{os.getpid()}"
            with connect(server.url) as admin:
                admin.execute(f"create role {ident(OWNER)}")
                admin.execute(f"create database {ident(name)} owner {ident(OWNER)} template template0")
            made[server.pid] = server.url.with_database(name)
            with connect(made[server.pid]) as session:
                session.execute(prelude("supabase", owner=OWNER))
                load(session, OWNER)
                seed(session)
        return made[server.pid]

    return template


@pytest.fixture(scope="session")
def shared_of(
    template_of: Callable[[Server], Url],
) -> Iterator[Callable[[Server], psycopg.Connection]]:
    """By server, a session in one copy for all tests that need no second session."""
    made: dict[int, psycopg.Connection] = {}

    def shared(server: Server) -> psycopg.Connection:
        if server.pid not in made:
            template = template_of(server)
            name = f"{template.database}_shared"
            with connect(server.url) as admin:
                admin.execute(f"create database {ident(name)} template {ident(template.database)}")
            made[server.pid] = connect(server.url.with_database(name))
        return made[server.pid]

    yield shared
    for connection in made.values():
        connection.close()


@pytest.fixture
def session(
    server: Server, shared_of: Callable[[Server], psycopg.Connection]
) -> Iterator[psycopg.Connection]:
    """The superuser in a transaction that is rolled back after the test; a request is a savepoint in it."""
    connection = shared_of(server)
    with connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def clearscrub(server: Server, template_of: Callable[[Server], Url], database: Callable[..., Url]) -> Url:
    """A copy of the test's own, for several sessions."""
    return database(template=template_of(server))


@pytest.fixture
def live(clearscrub: Url) -> Iterator[psycopg.Connection]:
    """An autocommit session of the superuser in the test's own copy."""
    with connect(clearscrub) as opened:
        yield opened
