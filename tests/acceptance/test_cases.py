"""The laws, for the kinds' own planner: each folder of `cases/` is a pair of databases.

For every pair: up lands at the new state, up again changes nothing, down lands at the old state, down again changes nothing,
and up lands once more. "Lands" is judged twice: by our snapshot and by pg_dump, which shares no code with it. The rows that
`rows.sql` gives must be there, in the columns of one type on both sides, after every step. `cases/<kind>/<name>` is for one kind;
`neighbours` is for what goes wrong between objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import psycopg
import pytest
from corpus import ALONE, Case, all_at_once, one, read
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import Statement
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete
from reconciler.run import steps
from reconciler.shadow.rows import common_columns, hashed


def run(session: psycopg.Connection, statements: Sequence[Statement]) -> None:
    for step in steps(statements):
        with session.transaction() if step.transactional else nullcontext():
            for statement in step.statements:
                execute(session, statement)


def execute(session: psycopg.Connection, statement: Statement) -> None:
    try:
        session.execute(statement.sql.encode())
    except psycopg.Error as error:
        raise AssertionError(f"{statement.sql}\n→ {error}") from error


def assert_laws(old: Url, new: Url) -> None:
    """Walks the database `old` to `new` and back and there again."""
    before, after = read(old), read(new)
    assert not before.unmodelled and not after.unmodelled
    assert compare(before, before) == ()
    dumps = {"up": dump(new), "down": dump(old)}
    goals = {"up": after, "down": before}
    plans = {
        "up": complete(Context(before, after, "postgres")),
        "down": complete(Context(after, before, "postgres")),
    }
    assert bool(plans["up"]) == (dumps["up"] != dumps["down"])
    columns = common_columns(before, after)
    with connect(old) as session:
        rows = hashed(session, columns)
        for way in ("up", "up", "down", "down", "up"):
            run(session, plans[way])
            got = snapshot.read(session)
            assert residue(got, goals[way]) == (), way
            assert complete(Context(got, goals[way], "postgres")) == ()
            assert difference(dump(old), dumps[way]) == "", way
            assert hashed(session, columns) == rows, way


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.name)
def test_a_pair_of_databases(case: Case, server: Server, database: Callable[..., Url]) -> None:
    assert_laws(*one(case, server.major, database))


@pytest.mark.majors
def test_all_of_them_at_once(server: Server, database: Callable[..., Url]) -> None:
    """One plan over every pair that can live in a schema of its own: large, and on every major."""
    assert_laws(*all_at_once(server.major, database))
