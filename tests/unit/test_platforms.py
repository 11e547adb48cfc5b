"""The platform prelude: Supabase's roles and functions on a plain server, again and at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from reconciler.embedded import Server, scratch
from reconciler.pg import Url, connect, ident
from reconciler.platforms import managed_schemas, prelude, roles

USER = UUID("aaaaaaaa-0000-4000-8000-000000000001")
OWNER = 'platforms\' "owner"'


@pytest.fixture(scope="module")
def fresh_server() -> Iterator[Server]:
    """A server of this module's own: on the shared one the platform's roles are in use by other tests."""
    with scratch() as started:
        yield started


@pytest.fixture
def fresh(fresh_server: Server) -> Iterator[Callable[[], Url]]:
    """Makes databases on a server that has none of the platform's roles, before and after."""
    made: list[str] = []
    with connect(fresh_server.url) as admin:

        def make() -> Url:
            made.append(f"platforms_{len(made)}")
            admin.execute(f"create database {ident(made[-1])} template template0")
            return fresh_server.url.with_database(made[-1])

        yield make
        for name in made:
            admin.execute(f"drop database {ident(name)} with (force)")
        for role in (OWNER, *roles("supabase")):
            admin.execute(f"drop role if exists {ident(role)}")


def catalog(session: psycopg.Connection) -> list[str]:
    """What the prelude leaves behind, as text."""
    return [
        row[0]
        for row in session.execute(
            """
            select 'role ' || rolname || ' ' || rolcanlogin || rolinherit || rolbypassrls || rolsuper || rolcreaterole
            from pg_catalog.pg_roles where rolname = any (%s)
            union all
            select 'membership ' || member::regrole || ' of ' || roleid::regrole
            from pg_catalog.pg_auth_members where member::regrole::text = any (%s)
            union all
            select 'schema ' || nspname || ' ' || coalesce(nspacl::text, '')
            from pg_catalog.pg_namespace where nspname in ('auth', 'extensions', 'public')
            union all
            select 'function ' || pg_catalog.pg_get_functiondef(oid)
            from pg_catalog.pg_proc where pronamespace = 'auth'::regnamespace
            union all
            select 'table ' || relname || ' ' || relrowsecurity || coalesce(relacl::text, '')
            from pg_catalog.pg_class where relnamespace = 'auth'::regnamespace and relkind = 'r'
            union all
            select 'default ' || defaclrole::regrole || ' ' || defaclobjtype::text || defaclacl::text
            from pg_catalog.pg_default_acl
            order by 1
            """,
            (list(roles("supabase")), list(roles("supabase"))),
        )
    ]


def test_plain_postgresql_needs_nothing() -> None:
    assert prelude("postgres") == ""
    assert roles("postgres") == ()
    assert managed_schemas("postgres") == frozenset()


def test_what_the_prelude_provides_is_never_managed_by_us() -> None:
    assert {"auth", "storage", "realtime", "extensions", "graphql", "vault"} <= managed_schemas("supabase")
    assert not {"public", "private"} & managed_schemas("supabase")


@pytest.mark.majors
def test_it_runs_twice_and_changes_nothing_the_second_time(
    server: Server, database: Callable[..., Url]
) -> None:
    with connect(database()) as session:
        session.execute(prelude("supabase"))
        first = catalog(session)
        session.execute(prelude("supabase"))
        assert catalog(session) == first
    assert [line for line in first if line.startswith(("role", "membership"))] == [
        "membership authenticator of anon",
        "membership authenticator of authenticated",
        "membership authenticator of service_role",
        "role anon falsefalsefalsefalsefalse",
        "role authenticated falsefalsefalsefalsefalse",
        "role authenticator falsefalsefalsefalsefalse",
        "role service_role falsefalsetruefalsefalse",
    ]


def test_several_databases_are_prepared_at_once(fresh: Callable[[], Url]) -> None:
    """Roles belong to the server: whoever comes second finds them."""
    urls = [fresh() for _ in range(6)]
    barrier = threading.Barrier(len(urls))

    def prepare(url: Url) -> list[str]:
        with connect(url) as session:
            barrier.wait(30)
            session.execute(prelude("supabase"))
            return catalog(session)

    with ThreadPoolExecutor(len(urls)) as pool:
        found = list(pool.map(prepare, urls))
    assert all(one == found[0] for one in found)


def test_half_a_prelude_is_completed(fresh: Callable[[], Url]) -> None:
    with connect(fresh()) as session:
        session.execute("create role anon nologin")
        session.execute("create role service_role nologin")
        session.execute(prelude("supabase"))
        session.execute("revoke anon from authenticator")
        session.execute(prelude("supabase"))
        assert "membership authenticator of anon" in catalog(session)
        assert "role service_role falsetruetruefalsefalse" in catalog(session)


def test_a_prepared_server_is_not_locked_again(fresh: Callable[[], Url]) -> None:
    """Once the roles exist, a long transaction elsewhere that changes roles does not hold anybody up."""
    first, second = fresh(), fresh()
    with connect(first) as holder, connect(second) as session:
        holder.execute(prelude("supabase"))
        with holder.transaction():
            holder.execute("lock table pg_catalog.pg_authid in row exclusive mode")
            session.execute("set lock_timeout = '1s'")
            session.execute(prelude("supabase"))
            assert session.execute("select auth.uid()").fetchone() == (None,)


def test_the_owner_gets_what_the_platform_gives_its_users_role(fresh: Callable[[], Url]) -> None:
    url = fresh()
    with connect(url) as session:
        session.execute(f"create role {ident(OWNER)}")
        session.execute(prelude("supabase", owner=OWNER))
        session.execute(f"grant create on schema public to {ident(OWNER)}")
        session.execute(f"set role {ident(OWNER)}")
        session.execute(
            "create table profiles (id uuid primary key references auth.users (id), mine uuid default auth.uid())"
        )
        session.execute("create function ping() returns int language sql as 'select 1'")
        given = session.execute(
            "select r, has_table_privilege(r, 'profiles', 'truncate'), has_function_privilege(r, 'ping()', 'execute')"
            " from unnest(array['anon', 'authenticated', 'service_role', 'authenticator']) as r order by r"
        ).fetchall()
    assert given == [
        ("anon", True, True),
        ("authenticated", True, True),
        ("authenticator", False, True),
        ("service_role", True, True),
    ]


@pytest.fixture(scope="module")
def prepared(server: Server) -> Iterator[psycopg.Connection]:
    """A session in a database with the prelude; for tests that change nothing."""
    with connect(server.url) as admin:
        admin.execute("create database platforms_prepared template template0")
        with connect(server.url.with_database("platforms_prepared")) as session:
            session.execute(prelude("supabase"))
            yield session
        admin.execute("drop database platforms_prepared with (force)")


def claimed(session: psycopg.Connection, **settings: str) -> tuple[object, ...]:
    with session.transaction():
        for name, value in settings.items():
            session.execute("select set_config(%s, %s, true)", (f"request.{name.replace('__', '.')}", value))
        session.execute("set local role authenticated")
        row = session.execute("select auth.uid(), auth.role(), auth.email(), auth.jwt()").fetchone()
    assert row is not None
    return row


JWT = {"sub": str(USER), "role": "authenticated", "email": "a@example.com", "org_id": "x"}


def test_claims_are_read_from_the_document(prepared: psycopg.Connection) -> None:
    assert claimed(prepared, jwt__claims=json.dumps(JWT)) == (USER, "authenticated", "a@example.com", JWT)


def test_claims_are_read_from_one_setting_each(prepared: psycopg.Connection) -> None:
    found = claimed(
        prepared,
        jwt__claim__sub=str(USER),
        jwt__claim__role="anon",
        jwt__claim__email="b@example.com",
        jwt__claims=json.dumps({**JWT, "sub": "11111111-0000-4000-8000-000000000001"}),
    )
    assert found[:3] == (USER, "anon", "b@example.com"), "the single setting comes first"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="never set"),
        pytest.param({"jwt__claims": ""}, id="empty document"),
        pytest.param({"jwt__claim__sub": "", "jwt__claim__role": "", "jwt__claims": ""}, id="empty claims"),
    ],
)
def test_nothing_and_the_empty_string_are_no_claim(
    prepared: psycopg.Connection, settings: dict[str, str]
) -> None:
    assert claimed(prepared, **settings) == (None, None, None, None)


def test_a_setting_left_over_from_an_earlier_transaction_is_no_claim(prepared: psycopg.Connection) -> None:
    assert claimed(prepared, jwt__claims=json.dumps(JWT), jwt__claim__sub=str(USER))[0] == USER
    assert claimed(prepared) == (None, None, None, None)


def test_a_document_without_the_claim_has_none(prepared: psycopg.Connection) -> None:
    assert claimed(prepared, jwt__claims="{}") == (None, None, None, {})


def test_users_are_hidden_from_the_api(prepared: psycopg.Connection) -> None:
    for role in ("anon", "authenticated"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), prepared.transaction():
            prepared.execute(f"set local role {role}")
            prepared.execute("select from auth.users")
