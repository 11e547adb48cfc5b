"""A database with a schema in it, and the shadow to build worlds of it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.declare import read
from reconciler.embedded import Server
from reconciler.pg import Url, connect, ident
from reconciler.platforms import prelude
from reconciler.shadow import materialise
from reconciler.shadow.scratch import Shadow, shadow

OWNER = "tenants_owner"
SCHEMAS = Path(__file__).parent / "schemas"
CLEARSCRUB = Path(__file__).parents[3] / "schema"


@pytest.fixture(scope="session")
def scratch_server(server: Server) -> Iterator[Shadow]:
    with shadow(server.url) as found:
        yield found


@pytest.fixture
def loaded(database: Callable[..., Url]) -> Callable[[str], Url]:
    """A database by the name of a schema in `schemas/`, or `clearscrub`, owned by a role that is no superuser."""

    def load(name: str) -> Url:
        url = database()
        with connect(url) as session:
            session.execute(
                f"do $$ begin if pg_catalog.to_regrole('{OWNER}') is null then create role {OWNER}; end if; end $$".encode()
            )
            session.execute(f"alter database {ident(url.database)} owner to {OWNER}".encode())
            session.execute(prelude("supabase", owner=OWNER).encode())
            if name == "clearscrub":
                materialise.load(session, read(CLEARSCRUB).files, role=OWNER)
            else:
                session.execute(f"set role {OWNER}".encode())
                session.execute((SCHEMAS / f"{name}.sql").read_bytes())
        return url

    return load
