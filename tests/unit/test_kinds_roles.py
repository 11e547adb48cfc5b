"""Roles and memberships, which all databases of a server share: only when the scope says so, and never a password."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.compare import residue
from reconciler.catalog.kinds import Context
from reconciler.catalog.scope import Scope
from reconciler.embedded import Server
from reconciler.model import HazardCode, Snapshot, Statement
from reconciler.plan.complete import complete

WHOLE = Scope(cluster=True)
NAMES = ("kr_reader", "kr_writer", '"Kr Odd"', "kr_owner")


@pytest.fixture
def roles(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    yield connection
    for name in NAMES:
        connection.execute(
            f"do $$ begin drop owned by {name} cascade; exception when undefined_object then end $$"
        )
    for name in NAMES:
        connection.execute(f"drop role if exists {name}")


def plan(session: psycopg.Connection, before: Snapshot, after: Snapshot) -> tuple[Statement, ...]:
    return complete(Context(before, after, session.info.user))


def there_and_back(session: psycopg.Connection, before: Snapshot, after: Snapshot) -> None:
    """From `after`, where the server is, to `before` and to `after` again: each way twice."""
    for start, goal in ((after, before), (before, after)):
        statements = plan(session, start, goal)
        for _ in range(2):
            with session.transaction():
                for statement in statements:
                    session.execute(statement.sql)
            assert residue(snapshot.read(session, WHOLE), goal) == ()


def walk(session: psycopg.Connection, old: str, new: str) -> tuple[Snapshot, Snapshot]:
    session.execute(old)
    before = snapshot.read(session, WHOLE)
    session.execute(new)
    after = snapshot.read(session, WHOLE)
    assert before.fingerprint != after.fingerprint
    there_and_back(session, before, after)
    return before, after


@pytest.mark.majors
def test_created_and_dropped(server: Server, roles: psycopg.Connection) -> None:
    walk(
        roles,
        "",
        """
        create role kr_reader;
        create role "Kr Odd" login noinherit createdb createrole bypassrls connection limit 3
            valid until '2030-01-02 03:04:05+00' password 'hidden';
        alter role "Kr Odd" set statement_timeout = '5s';
        alter role "Kr Odd" set search_path = app, "Other", public;
        alter role "Kr Odd" set app.setting = 'it''s';
        comment on role kr_reader is 'reads';
        create role kr_writer in role kr_reader;
        grant kr_reader to "Kr Odd" with admin option;
        """,
    )


@pytest.mark.majors
def test_altered(server: Server, roles: psycopg.Connection) -> None:
    before, after = walk(
        roles,
        """
        create role kr_reader login connection limit 3;
        create role kr_writer;
        create role kr_owner;
        alter role kr_reader set statement_timeout = '5s';
        alter role kr_reader set lock_timeout = '1s';
        grant kr_writer to kr_reader with admin option;
        grant kr_owner to kr_reader;
        comment on role kr_writer is 'before';
        """,
        """
        alter role kr_reader nologin connection limit -1 valid until '2031-01-01 00:00:00+00' bypassrls;
        alter role kr_reader set statement_timeout = '9s';
        alter role kr_reader reset lock_timeout;
        revoke admin option for kr_writer from kr_reader;
        revoke kr_owner from kr_reader;
        grant kr_owner to kr_writer;
        comment on role kr_writer is null;
        """,
    )
    hazards = {h.code for s in plan(roles, before, after) for h in s.hazards}
    assert {HazardCode.WEAKENS_ISOLATION, HazardCode.REVOKES_ACCESS} <= hazards


def test_a_role_comes_before_what_it_owns_and_leaves_after_it(roles: psycopg.Connection) -> None:
    walk(
        roles,
        "create table public.t (id integer);",
        """
        create role kr_owner;
        create role kr_reader;
        create schema kr authorization kr_owner;
        create table kr.t (id integer);
        alter table public.t owner to kr_owner;
        grant select on kr.t to kr_reader;
        create policy p on kr.t to kr_reader using (true);
        alter default privileges for role kr_owner grant select on tables to kr_reader;
        """,
    )


def test_options_of_a_membership(server: Server, roles: psycopg.Connection) -> None:
    if server.major < 16:
        pytest.skip("memberships have options since 16")
    walk(
        roles,
        "create role kr_reader; create role kr_writer; grant kr_reader to kr_writer;",
        "grant kr_reader to kr_writer with inherit false, set false;",
    )


def test_a_membership_granted_twice_goes_at_once(server: Server, roles: psycopg.Connection) -> None:
    if server.major < 16:
        pytest.skip("who granted is part of a membership since 16")
    roles.execute("create role kr_reader; create role kr_writer; create role kr_owner createrole")
    before = snapshot.read(roles, WHOLE)
    roles.execute(
        "grant kr_reader to kr_owner with admin option; grant kr_reader to kr_writer;"
        " set role kr_owner; grant kr_reader to kr_writer; reset role"
    )
    roles.execute("grant kr_reader to kr_writer granted by kr_owner")
    after = snapshot.read(roles, WHOLE)
    for statement in plan(roles, after, before):
        roles.execute(statement.sql)
    assert residue(snapshot.read(roles, WHOLE), before) == ()


def test_a_password_is_neither_read_nor_compared(roles: psycopg.Connection) -> None:
    roles.execute("create role kr_reader login password 'hidden'")
    before = snapshot.read(roles, WHOLE)
    roles.execute("alter role kr_reader password 'another'")
    assert snapshot.read(roles, WHOLE).fingerprint == before.fingerprint
    assert "hidden" not in repr(before) and "SCRAM" not in repr(before)
