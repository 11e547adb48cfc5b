"""Shared fixtures: a PostgreSQL server of our own and fresh databases on it.

`RECONCILER_TEST_MAJOR` chooses the major of the `server` fixture (default: the newest found); `matrix.py` chooses one after
another. A major without programs is skipped with the reason; `RECONCILER_REQUIRE=pg14,pg15,…` turns that skip into a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from majors import require_major

from reconciler.embedded import Server, scratch
from reconciler.pg import Url, connect, ident
from reconciler.shadow import subscriptions


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests do not see the databases, passwords and settings of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            ours = name.startswith("RECONCILER_")
            kept = name.startswith(("RECONCILER_PG_BIN_", "RECONCILER_TEST_", "RECONCILER_REQUIRE"))
            if name == "DATABASE_URL" or name.startswith("PG") or (ours and not kept):
                patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        patch.setenv("PGPASSFILE", str(home / "pgpass"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield


@pytest.fixture(scope="session")
def server_of(clean_environment: None) -> Iterator[Callable[[int | None], Server]]:
    """Servers by major, each started at its first use and shared by all tests of this process."""
    with ExitStack() as running:
        started: dict[int | None, Server] = {}

        def server(major: int | None) -> Server:
            if major not in started:
                started[major] = running.enter_context(scratch(major))
                started[started[major].major] = started[major]
            return started[major]

        yield server


@pytest.fixture(scope="session")
def server(server_of: Callable[[int | None], Server]) -> Server:
    """A running server, as its superuser. Roles are shared by its databases: clean up what you create."""
    chosen = os.environ.get("RECONCILER_TEST_MAJOR")
    return server_of(require_major(int(chosen)) if chosen else None)


_numbers = iter(range(1, 1_000_000))


@pytest.fixture
def database(server: Server) -> Iterator[Callable[..., Url]]:
    """Makes fresh, empty databases: `url = database()`. They are dropped after the test, even if open.

    `database(template=url)` copies another database, in which nobody may be connected.
    """
    made: list[str] = []
    strategy = "strategy file_copy" if server.major >= 15 else ""
    with connect(server.url) as admin:

        def make(template: Url | None = None) -> Url:
            name = f"test_{os.getpid()}_{next(_numbers)}"
            source = template.database if template else "template0"
            admin.execute(f"create database {ident(name)} template {ident(source)} {strategy}")
            made.append(name)
            return server.url.with_database(name)

        yield make
        subscribing = admin.execute(
            "select d.datname from pg_catalog.pg_subscription as s join pg_catalog.pg_database as d on d.oid = s.subdbid"
            " where d.datname = any(%s)",
            (made,),
        ).fetchall()
        for (name,) in subscribing:
            subscriptions.removed(server.url.with_database(name))
        for name in made:
            admin.execute(f"drop database if exists {ident(name)} with (force)")


@pytest.fixture
def connection(database: Callable[..., Url]) -> Iterator[psycopg.Connection]:
    """An autocommit session of the superuser in a fresh database."""
    with connect(database()) as session:
        yield session
