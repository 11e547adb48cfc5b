"""A database with a schema in it, the shadow to build worlds of it on, and a world of each schema that tests only look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.declare import read
from reconciler.embedded import Server
from reconciler.pg import Url, connect, ident
from reconciler.platforms import prelude
from reconciler.shadow import materialise
from reconciler.shadow.scratch import Shadow, shadow
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import World

OWNER, APP = "tenants_owner", "worlds_app"
PLAIN = ("settings", "bare", "logins")
"""Schemas that are not written for Supabase."""
SCHEMAS = Path(__file__).parent / "schemas"
CLEARSCRUB = Path(__file__).parents[3] / "schema"


@pytest.fixture(scope="session")
def scratch_server(server: Server) -> Iterator[Shadow]:
    with shadow(server.url) as found:
        yield found


def load(url: Url, name: str) -> Url:
    """Puts a schema of `schemas/`, or ClearScrub, into the database, owned by a role that is no superuser."""
    with connect(url) as session:
        for role in (OWNER, APP):
            session.execute(
                f"do $$ begin if pg_catalog.to_regrole('{role}') is null then create role {role}; end if; end $$".encode()
            )
        session.execute(f"alter database {ident(url.database)} owner to {OWNER}".encode())
        session.execute(f"grant all on schema public to {OWNER}".encode())
        if name not in PLAIN:
            session.execute(prelude("supabase", owner=OWNER).encode())
        if name == "clearscrub":
            materialise.load(session, read(CLEARSCRUB).files, role=OWNER)
        else:
            session.execute(f"set role {OWNER}".encode())
            session.execute((SCHEMAS / f"{name}.sql").read_bytes())
    return url


@pytest.fixture(scope="session")
def started(scratch_server: Shadow) -> Callable[[str], Url]:
    """The database of a schema, made once. Tests only read it."""
    made: dict[str, Url] = {}

    def start(name: str) -> Url:
        if name not in made:
            made[name] = load(scratch_server.create(), name)
        return made[name]

    return start


@pytest.fixture
def loaded(scratch_server: Shadow, started: Callable[[str], Url]) -> Iterator[Callable[[str], Url]]:
    """A copy of one's own of the database of a schema."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(scratch_server.copy(started(name)))


@pytest.fixture(scope="session")
def built(scratch_server: Shadow, started: Callable[[str], Url]) -> Iterator[Callable[[str], World]]:
    """The world of a schema, made once. Whatever is done in it is rolled back."""
    with ExitStack() as stack:
        made: dict[str, World] = {}

        def build(name: str) -> World:
            if name not in made:
                made[name] = stack.enter_context(
                    world.build(scratch_server, started(name), tenant_column="org_id")
                )
            return made[name]

        yield build
