"""Drops that keep: what is dropped in quarantine form comes back, rows and definitions, whatever order things are run in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import Snapshot, Statement
from reconciler.pg import Url, connect
from reconciler.plan import quarantine
from reconciler.plan.complete import complete
from reconciler.shadow.rows import hashed, stored_columns

APART = "--exclude-schema=reconciler_quarantine"


def load(url: Url, text: str) -> None:
    with connect(url) as session:
        session.execute(text.encode())


def read(url: Url) -> Snapshot:
    with connect(url) as session:
        return snapshot.read(session)


def run(url: Url, statements: Iterable[Statement]) -> None:
    with connect(url) as session, session.transaction():
        for statement in statements:
            session.execute(statement.sql.encode())


def plans(before: Snapshot, after: Snapshot) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    up, down = complete(Context(before, after, "postgres")), complete(Context(after, before, "postgres"))
    return quarantine.kept(up, down, before, after, applier="postgres")


BILLS = """
create table bills (id bigint generated always as identity primary key, code text not null unique, total numeric check (total >= 0));
create index bills_total on bills (total);
alter table bills enable row level security;
create policy mine on bills using (total > 1);
grant select on bills to public;
comment on table bills is 'what is owed';
"""
ROWS = "insert into bills (code, total) select 'k' || n, n from generate_series(1, 50) as n"


@pytest.mark.majors
def test_a_dropped_table_comes_back(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    load(old, BILLS + ROWS)
    before, after = read(old), read(new)
    up, down = plans(before, after)
    dumps = {"up": dump(new, APART), "down": dump(old, APART)}
    with connect(old) as session:
        rows = hashed(session, stored_columns(before))
    for way, statements, goal in (
        ("up", up, after),
        ("up", up, after),
        ("down", down, before),
        ("down", down, before),
        ("up", up, after),
        ("down", down, before),
    ):
        run(old, statements)
        assert residue(read(old), goal) == (), way
        assert difference(dump(old, APART), dumps[way]) == "", way
        if way == "down":
            with connect(old) as session:
                assert hashed(session, stored_columns(before)) == rows
