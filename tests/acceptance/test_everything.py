"""One object of every kind, made from nothing by one plan and taken away by another, each of them twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete
from reconciler.run.placeholders import withheld

SCRIPT = (Path(__file__).parents[1] / "unit" / "one_of_everything.sql").read_text().split("\n", 2)[2]
ROLE = "everything_there_and_back"
SECRETS = re.compile(r"(CONNECTION|password|token) '[^']*'")


@pytest.fixture
def sessions(
    server: Server, database: Callable[..., Url]
) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two databases, the second with one of everything. Subscriptions leave before their databases."""
    with connect(database()) as empty, connect(database()) as full:
        full.execute(f"create role {ROLE}")
        try:
            for statement in SCRIPT.split("\n--\n"):
                since = re.match(r"-- since (\d+)\n", statement)
                if since is None or int(since[1]) <= server.major:
                    full.execute(statement.replace("{role}", ROLE))
            yield empty, full
        finally:
            for session in (empty, full):
                session.execute("drop subscription if exists fed")
                session.execute(f"drop owned by {ROLE}")
            full.execute(f"drop role {ROLE}")


def dumped(server: Server, session: psycopg.Connection) -> frozenset[str]:
    """What pg_dump prints, without the secrets that a scratch database never gets."""
    entries = dump(server.url.with_database(session.info.dbname))
    return frozenset(SECRETS.sub(r"\1 ''", entry) for entry in entries)


@pytest.mark.majors
def test_there_and_back(server: Server, sessions: tuple[psycopg.Connection, psycopg.Connection]) -> None:
    here, there = sessions
    nothing, everything = snapshot.read(here), snapshot.read(there)
    goals = {
        "up": (everything, dumped(server, there), complete(Context(nothing, everything, here.info.user))),
        "down": (nothing, dumped(server, here), complete(Context(everything, nothing, here.info.user))),
    }
    for way in ("up", "up", "down", "down", "up"):
        goal, printed, statements = goals[way]
        with here.transaction():
            for statement in statements:
                here.execute(withheld(statement.sql))
        assert residue(snapshot.read(here), goal) == (), way
        assert difference(dumped(server, here), printed) == "", way
