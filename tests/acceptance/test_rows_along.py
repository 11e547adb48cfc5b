"""What a table that is partitioned differently takes along: rows that are written meanwhile, and how far it has numbered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import HazardCode, Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan.complete import complete

PLAIN = "create table visits (id bigint generated always as identity, place text not null)"
LISTED = PLAIN + " partition by list (place); create table visits_rest partition of visits default"
HASHED = PLAIN + " partition by hash (place);" + ";".join(
    f"create table visits_{n} partition of visits for values with (modulus 2, remainder {n})" for n in (0, 1)
)  # fmt: skip


def read(url: Url) -> Snapshot:
    with connect(url) as session:
        return snapshot.read(session)


def load(url: Url, sql: str) -> None:
    with connect(url) as session:
        session.execute(sql.encode())


def run(url: Url, statements: list[Statement]) -> None:
    with connect(url) as session, session.transaction():
        for statement in statements:
            session.execute(statement.sql.encode())


def number(url: Url) -> int:
    with connect(url) as session:
        row = session.execute("insert into visits (place) values ('here') returning id").fetchone()
    assert row is not None
    return int(row[0])


def test_a_number_is_not_given_twice(database: Callable[..., Url]) -> None:
    """Also when the rows that had the last numbers are gone."""
    states = [database(), database(), database()]
    for url, sql in zip(states, (PLAIN, LISTED, HASHED), strict=True):
        load(url, sql)
    target = states[0]
    plain, listed, hashed = (read(url) for url in states)
    assert [number(target) for _ in range(3)] == [1, 2, 3]
    load(target, "delete from visits")
    for given, old, new in ((4, plain, listed), (5, listed, hashed), (6, hashed, plain)):
        run(target, complete(Context(old, new, "postgres")))
        assert read(target).fingerprint == new.fingerprint
        assert number(target) == given
        load(target, "delete from visits")


def test_a_row_that_is_committed_meanwhile_is_not_lost(database: Callable[..., Url]) -> None:
    old, new = database(), database()
    load(old, LISTED)
    load(new, HASHED)
    up = complete(Context(read(old), read(new), "postgres"))
    with connect(old) as writer, connect(old) as watcher:
        thread = threading.Thread(target=run, args=(old, up))
        with writer.transaction():
            writer.execute("insert into visits (place) values ('late')")
            thread.start()
            deadline = time.monotonic() + 60
            while not watcher.execute("select from pg_catalog.pg_locks where not granted").fetchall():
                assert time.monotonic() < deadline
                time.sleep(0.02)
        thread.join()
        assert watcher.execute("select place from visits").fetchall() == [("late",)]


def test_a_partition_that_stands_alone_afterwards_is_said_to_lose_its_rows(
    database: Callable[..., Url],
) -> None:
    """They go up into the table: which of them it once had by itself nobody knows."""
    old, new = database(), database()
    load(old, HASHED)
    load(new, PLAIN + "; create table visits_1 (id bigint not null, place text not null)")
    hazards = [h for one in complete(Context(read(old), read(new), "postgres")) for h in one.hazards]
    assert [h.code for h in hazards if "visits_1" in h.consequence] == [HazardCode.DELETES_DATA]


@pytest.mark.parametrize(
    ("publication", "codes"),
    [
        ("for all tables", [HazardCode.IRREVERSIBLE]),
        ("for tables in schema public", [HazardCode.IRREVERSIBLE]),
        ("for tables in schema other", []),
        ("for table visits", []),
    ],
)
def test_what_publishes_the_copied_rows_is_named(
    server: Server, database: Callable[..., Url], publication: str, codes: list[HazardCode]
) -> None:
    if "schema" in publication and server.major < 15:
        pytest.skip("schemas are published since 15")
    old, new = database(), database()
    for url, sql in ((old, PLAIN), (new, LISTED)):
        load(url, f"{sql}; create schema other; create publication feed {publication}")
    hazards = [h for one in complete(Context(read(old), read(new), "postgres")) for h in one.hazards]
    assert [h.code for h in hazards if "Publication feed" in h.consequence] == codes
