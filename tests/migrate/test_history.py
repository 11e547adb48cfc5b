"""The schema `reconciler`: made once by whoever comes first, closed to everybody else, readable when granted."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from applying import migration

from reconciler.errors import Stalled
from reconciler.migrate import (
    adopt,
    apply,
    edited,
    ensure,
    latest,
    owned,
    read,
    record,
    release,
    restored,
    state_of,
)
from reconciler.migrate.history_schema import FORMAT
from reconciler.model import Hazard, HazardCode, Migration, ObjectId, Statement
from reconciler.pg import Secret, Url, connect, ident, literal

MADE = migration(["create table if not exists public.t ()"], ["drop table if exists public.t"])


@pytest.fixture
def login(url: Url) -> Iterator[Url]:
    """A role without any right of its own."""
    role, password = f"reader_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    with connect(url) as admin:
        admin.execute(f"create role {ident(role)} login password {literal(password)}".encode())
        yield url.with_options(user=role, password=Secret(password))
        admin.execute(f"drop owned by {ident(role)}; drop role {ident(role)}".encode())


def test_without_the_schema_there_is_no_history(connection: psycopg.Connection) -> None:
    assert read(connection) == ()
    assert owned(connection) == {}


def test_a_schema_of_the_same_name_is_not_a_history(connection: psycopg.Connection) -> None:
    connection.execute("create schema reconciler")
    assert read(connection) == ()
    ensure(connection)
    ensure(connection)
    assert read(connection) == ()


@pytest.mark.majors
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_many_at_once_make_it_once(database: Callable[..., Url], isolation: str) -> None:
    url = database().with_options(
        options=f"-c default_transaction_isolation={isolation.replace(' ', chr(92) + ' ')}"
    )
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def make() -> None:
        with connect(url) as session:
            start.wait()
            try:
                ensure(session)
            except psycopg.Error as error:
                failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with connect(url) as session:
        assert session.execute("select version from reconciler.format").fetchall() == [
            (number + 1,) for number in range(FORMAT)
        ]


def test_nobody_but_the_owner_may_see_it(url: Url, login: Url) -> None:
    with connect(url) as admin:
        admin.execute(
            "alter default privileges grant all on tables to public;"
            "alter default privileges grant all on schemas to public;"
            "alter default privileges grant all on sequences to public"
        )
        ensure(admin)
        granted = admin.execute(
            """
            select c.relname from pg_class c, aclexplode(c.relacl) a
             where c.relnamespace = 'reconciler'::regnamespace and a.grantee <> c.relowner
            union all
            select n.nspname from pg_namespace n, aclexplode(n.nspacl) a
             where n.nspname = 'reconciler' and a.grantee <> n.nspowner
            """
        ).fetchall()
    assert granted == []
    with connect(login) as session, pytest.raises(Stalled, match="may not use the history") as caught:
        read(session)
    assert f"grant usage on schema reconciler to {login.user};" in caught.value.hint


def test_a_role_with_the_hinted_grants_reads_in_a_read_only_transaction(url: Url, login: Url) -> None:
    apply(url, MADE)
    with connect(login) as session:
        with pytest.raises(Stalled) as caught:
            read(session)
        to_read = caught.value.hint.removeprefix("to read: ").split(" to apply:")[0]
        with connect(url) as admin:
            admin.execute(to_read.encode())
        session.read_only = True
        with session.transaction():
            assert [row.version for row in read(session)] == [MADE.version]
            assert owned(session) == {}


def test_without_the_right_to_create_it_the_missing_grant_is_named(url: Url, login: Url) -> None:
    with connect(url) as admin:
        admin.execute(f"revoke all on database {ident(url.database)} from public".encode())
        admin.execute(f"grant connect on database {ident(url.database)} to {ident(login.user)}".encode())
        with connect(login) as session, pytest.raises(Stalled) as caught:
            ensure(session)
        assert "grant create on database" in caught.value.hint
        admin.execute(f"grant create on database {ident(url.database)} to {ident(login.user)}".encode())
        apply(login, migration(["select 1"]))
        admin.execute("drop schema reconciler cascade")


def test_a_history_of_a_newer_program_is_left_alone(connection: psycopg.Connection) -> None:
    ensure(connection)
    connection.execute("insert into reconciler.format (version) values (99)")
    with pytest.raises(Stalled, match="format 99"):
        ensure(connection)


def test_a_migration_comes_back_from_the_history(url: Url) -> None:
    up = (
        Statement("create table public.a ()", "why\nnot", "migra", lock_timeout="7s", statement_timeout="1h"),
        Statement(
            "select '\\quit', '-- DOWN'",
            "",
            hazards=(Hazard(HazardCode.IRREVERSIBLE, "gone"),),
            subject=ObjectId("table", "public", "a b"),
        ),
        Statement("select 2", "in a transaction of its own", apart=True),
        Statement("select 1", "", transactional=False),
    )
    timeouts = (("lock_timeout", "9s"), ("statement_timeout", "3min"))
    both = Migration("20261123040000", "x", up, (Statement("drop table public.a", ""),), "b", "a", timeouts)
    apply(url, both)
    no_way_back = Migration("20261123040001", "y", up[1:], (), "b", "a", timeouts)
    apply(url, no_way_back)
    with connect(url) as session:
        rows = read(session)
    assert [restored(row) for row in rows] == [both, no_way_back]
    assert [row.checksum for row in rows] == [both.checksum, no_way_back.checksum]


def test_a_baseline_is_recorded_without_running(connection: psycopg.Connection) -> None:
    ensure(connection)
    with connection.transaction():
        record(connection, MADE, "up", done=1, steps=1, client="ada@laptop")
    row = latest(read(connection))[MADE.version]
    assert (state_of(row), row.seconds) == ("applied", 0.0)
    assert connection.execute("select to_regclass('public.t')").fetchone() == (None,)


def test_edited_files_are_found(connection: psycopg.Connection) -> None:
    ensure(connection)
    record(connection, MADE, "up", done=1, steps=1)
    other = migration(["create table public.other ()"])
    rows = read(connection)
    assert edited(rows, [MADE]) == ()
    assert edited(rows, [other]) == (other,)


def test_the_inventory_keeps_who_brought_an_object(connection: psycopg.Connection) -> None:
    ensure(connection)
    one, two = ObjectId("table", "public", "a;'\""), ObjectId("role", "", "r")
    adopt(connection, [one, one], "1")
    adopt(connection, [one, two], "2")
    assert owned(connection) == {one: "1", two: "2"}
    release(connection, [one])
    assert owned(connection) == {two: "2"}
