"""One object of every kind, made from nothing by one plan and taken away by another, each of them twice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.cli.present.script import script_of
from reconciler.embedded import Server, available
from reconciler.engine.diff import diff
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete
from reconciler.run.placeholders import STANDIN, withheld

SCRIPT = (Path(__file__).parents[1] / "unit" / "one_of_everything.sql").read_text().split("\n", 2)[2]
ROLE = "everything_there_and_back"
PLACEHOLDER = re.compile(r"'\$\{[A-Z0-9_]+\}'")
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


@pytest.mark.majors
def test_the_script_that_creates_everything(
    server: Server, sessions: tuple[psycopg.Connection, psycopg.Connection]
) -> None:
    """`diff empty URL --format sql`, loaded by psql, gives the same database."""
    here, there = sessions
    everything = snapshot.read(there)
    found = diff("empty", server.url.with_database(there.info.dbname).reveal(), where=server.url)
    script = PLACEHOLDER.sub(f"'{STANDIN}'", script_of(found.plan, "up"))
    psql = available()[-1].program("psql")
    target = server.url.with_database(here.info.dbname)
    done = subprocess.run(
        [str(psql), "-X", "-q", "-f", "-"], input=script, capture_output=True, text=True, check=False,
        env={**os.environ, **target.environment()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert residue(snapshot.read(here), everything) == ()
    assert difference(dumped(server, here), dumped(server, there)) == ""
