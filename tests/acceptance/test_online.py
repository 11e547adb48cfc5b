"""The same pairs of databases, planned as if every table had ten million rows: judged by the same laws and by pg_dump.

Whatever the online form prepares, swaps, validates and takes away: it ends exactly where the direct form does, also the second
time, and leaves nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import psycopg
import pytest
from judge import difference, dump
from test_cases import EVERY, TOGETHER, Case, load, read

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import Limits, ObjectId, Size, Snapshot, Statement
from reconciler.pg import Url, connect, ident
from reconciler.plan import online
from reconciler.plan.complete import complete
from reconciler.run import run_step, steps
from reconciler.shadow.rows import common_columns, hashed

KINDS = frozenset({
    "column", "constraint", "default", "index", "materialized_view", "neighbours", "partition", "replica_identity", "clustered",
    "table", "trigger", "policy",
})  # fmt: skip
ALONE = [
    case for case in EVERY
    if case.kind in KINDS and (case not in TOGETHER or os.environ.get("RECONCILER_TEST_EACH"))
]  # fmt: skip

Both = tuple[tuple[Statement, ...], tuple[Statement, ...]]


def huge(*sides: Snapshot) -> dict[ObjectId, Size]:
    """Every table with ten million rows."""
    kinds = ("table", "materialized_view")
    return {
        fact.id: Size(10_000_000) for side in sides for kind in kinds for fact in side.by_kind.get(kind, ())
    }


def planned(before: Snapshot, after: Snapshot) -> tuple[Both, Both]:
    """(the direct form, the online form), up and down."""
    up = complete(Context(before, after, "postgres"))
    down = complete(Context(after, before, "postgres"))
    sizes = huge(before, after)
    return (up, down), online.rewritten(
        up, down, before, after, sizes=sizes, limits=Limits(), applier="postgres"
    )


def run(session: psycopg.Connection, statements: Sequence[Statement]) -> None:
    for step in steps(statements):
        run_step(session, step, lock_timeout="5s")


def assert_laws(old: Url, new: Url, *, least: int = 0) -> bool:
    """Walks `old` to `new` and back and there again, online; whether that was another way than the direct one. `least` is the number
    of statements outside transactions."""
    before, after = read(old), read(new)
    direct, (up, down) = planned(before, after)
    if (up, down) == direct:
        return False
    assert sum(not s.transactional for s in (*up, *down)) >= least
    dumps, goals, ways = (
        {"up": dump(new), "down": dump(old)},
        {"up": after, "down": before},
        {"up": up, "down": down},
    )
    columns = common_columns(before, after)
    with connect(old) as session:
        rows = hashed(session, columns)
        for way in ("up", "up", "down", "down", "up"):
            run(session, ways[way])
            assert residue(snapshot.read(session), goals[way]) == (), way
            assert difference(dump(old), dumps[way]) == "", way
            assert hashed(session, columns) == rows, way
    return True


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.name)
def test_a_pair_of_databases(case: Case, server: Server, database: Callable[..., Url]) -> None:
    if server.major not in case.majors:
        pytest.skip(f"for PostgreSQL {case.majors.start} to {case.majors.stop - 1}")
    old, new = database(), database()
    load(old, case.old)
    load(new, case.new)
    load(old, case.rows)
    assert_laws(old, new)


@pytest.mark.majors
def test_all_of_them_at_once(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    for case in (case for case in TOGETHER if server.major in case.majors):
        schema = ident(case.name.replace("/", "_"))
        for url, text in ((old, case.old + case.rows), (new, case.new)):
            load(url, f"create schema {schema}; set search_path to {schema}; {text}")
    assert assert_laws(old, new, least=40)
