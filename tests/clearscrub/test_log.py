"""The log: written with the change or not at all, told to administrators of the same organisation, never altered."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from world import A, B, acting, claims

from reconciler.pg import Url, connect

LOGGED = (
    "organisations",
    "members",
    "companies",
    "company_aliases",
    "submissions",
    "accounts",
    "statements",
    "transactions",
)
CREATED_SILENTLY = ("organisations", "transactions")


def mark(session: psycopg.Connection) -> int:
    row = session.execute("select coalesce(max(id), 0) from trigger_audit_log").fetchone()
    assert row is not None
    return int(row[0])


def logged(session: psycopg.Connection, since: int) -> list[tuple[Any, ...]]:
    return session.execute(
        "select org_id, table_name, operation, old_values, new_values from trigger_audit_log where id > %s order by id",
        (since,),
    ).fetchall()


def row(session: psycopg.Connection, table: str, column: str, value: object) -> dict[str, Any]:
    found = session.execute(f"select to_jsonb(t) from {table} as t where {column} = %s", (value,)).fetchone()
    assert found is not None
    assert isinstance(found[0], dict)
    return found[0]


def test_time_user_operation_and_values_are_logged(session: psycopg.Connection) -> None:
    start = mark(session)
    with acting(session, "authenticated", claims(A)):
        created = session.execute(
            "insert into companies (org_id, legal_name) values (%s, 'Bolt') returning id", (A.org,)
        ).fetchone()
        assert created is not None
    before = row(session, "companies", "id", created[0])
    with acting(session, "authenticated", claims(A, A.admin)):
        session.execute("update companies set legal_name = 'Nut' where id = %s", (created[0],))
    after = row(session, "companies", "id", created[0])
    with acting(session, "service_role"):
        session.execute("delete from companies where id = %s", (created[0],))
    assert after["normalised_name"] == "nut"
    assert logged(session, start) == [
        (A.org, "companies", "INSERT", None, before),
        (A.org, "companies", "UPDATE", before, after),
        (A.org, "companies", "DELETE", after, None),
    ]
    who = session.execute(
        "select actor_id, actor_role, logged_at between now() - interval '1 hour' and now()"
        " from trigger_audit_log where id > %s order by id",
        (start,),
    ).fetchall()
    assert who == [
        (A.member, "authenticated", True),
        (A.admin, "authenticated", True),
        (None, "service_role", True),
    ]


@pytest.mark.parametrize("table", LOGGED)
def test_every_change_of_every_row_is_logged(session: psycopg.Connection, table: str) -> None:
    """One log row for each row changed, holding exactly its values before and after."""
    start = mark(session)
    key = {"organisations": "org_id", "members": "user_id"}.get(table, "id")
    before = session.execute(f"select to_jsonb(t) from {table} as t order by org_id, {key}").fetchall()
    session.execute(f"update {table} set org_id = org_id")
    after = session.execute(f"select to_jsonb(t) from {table} as t order by org_id, {key}").fetchall()
    assert len(before) >= 2
    found = {
        (json_key(old, key), json_key(new, key)): (org, old, new)
        for org, _, _, old, new in logged(session, start)
    }
    assert len(found) == len(before)
    for (old,), (new,) in zip(before, after, strict=True):
        assert found[json_key(old, key), json_key(new, key)] == (UUID(old["org_id"]), old, new)


def json_key(values: dict[str, Any], key: str) -> tuple[str, str]:
    return values["org_id"], values[key]


def test_a_statement_that_changes_no_row_logs_nothing(session: psycopg.Connection) -> None:
    start = mark(session)
    for table in LOGGED:
        session.execute(f"update {table} set org_id = org_id where false")
        session.execute(f"delete from {table} where false")
    assert logged(session, start) == []


def test_what_is_rolled_back_was_never_logged(session: psycopg.Connection) -> None:
    start = mark(session)
    with session.transaction(force_rollback=True):
        session.execute("update companies set legal_name = 'Nut' where org_id = %s", (A.org,))
        assert len(logged(session, start)) == 1
    with pytest.raises(psycopg.errors.ForeignKeyViolation), session.transaction():
        session.execute("delete from companies where org_id = %s", (A.org,))
    assert logged(session, start) == []


def test_a_change_that_cannot_be_logged_does_not_happen(session: psycopg.Connection) -> None:
    """A user id that is no UUID cannot be logged as the actor: the error is raised, not swallowed."""
    before = row(session, "companies", "id", A.company)
    with (
        pytest.raises(psycopg.errors.InvalidTextRepresentation),
        acting(session, "service_role", {"sub": "robot"}),
    ):
        session.execute("update companies set legal_name = 'Nut' where id = %s", (A.company,))
    assert row(session, "companies", "id", A.company) == before


def test_rows_removed_by_a_cascade_are_logged_with_their_user(session: psycopg.Connection) -> None:
    start = mark(session)
    with acting(session, "authenticated", claims(A)):
        session.execute("delete from statements")
    assert sorted((org, table, op) for org, table, op, _, _ in logged(session, start)) == [
        (A.org, "statements", "DELETE"),
        (A.org, "transactions", "DELETE"),
        (A.org, "transactions", "DELETE"),
    ]
    actors = session.execute(
        "select distinct actor_id from trigger_audit_log where id > %s", (start,)
    ).fetchall()
    assert actors == [(A.member,)]


def test_a_row_whose_key_changes_is_logged_as_two(session: psycopg.Connection) -> None:
    start, new = mark(session), uuid4()
    session.execute("update company_aliases set id = %s where org_id = %s", (new, A.org))
    entries = logged(session, start)
    assert len(entries) == 2
    assert {org for org, *_ in entries} == {A.org}
    assert [e[4]["id"] for e in entries if e[3] is None] == [str(new)]
    assert len([e for e in entries if e[4] is None]) == 1


def test_ten_thousand_rows_in_one_statement_are_ten_thousand_log_rows(session: psycopg.Connection) -> None:
    start = mark(session)
    session.execute(
        "insert into companies (org_id, legal_name) select %s, 'Company ' || n from generate_series(1, 10000) as n",
        (A.org,),
    )
    counted = session.execute(
        "select count(*), count(distinct new_values ->> 'id') from trigger_audit_log where id > %s", (start,)
    ).fetchone()
    assert counted == (10_000, 10_000)


@pytest.mark.parametrize("table", CREATED_SILENTLY)
def test_where_the_row_is_its_own_record_creation_is_not_logged(
    session: psycopg.Connection, table: str
) -> None:
    found = session.execute(
        "select count(*) from trigger_audit_log where table_name = %s and operation = 'INSERT'", (table,)
    ).fetchone()
    assert found == (0,)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize(
    "command",
    [
        "insert into trigger_audit_log (org_id, actor_role, table_name, operation) values ('{org}', 'x', 'x', 'DELETE')",
        "update trigger_audit_log set actor_id = null",
        "delete from trigger_audit_log",
        "truncate trigger_audit_log",
        "select nextval('trigger_audit_log_id_seq')",
        "select setval('trigger_audit_log_id_seq', 1)",
    ],
)
def test_no_role_of_the_api_can_touch_it(session: psycopg.Connection, role: str, command: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, role, claims(A, A.admin)):
        session.execute(command.format(org=A.org))


def test_administrators_read_their_own_log_and_members_read_none(session: psycopg.Connection) -> None:
    for it in (A, B):
        with acting(session, "authenticated", claims(it, it.admin)):
            assert session.execute("select distinct org_id from trigger_audit_log").fetchall() == [(it.org,)]
        with acting(session, "authenticated", claims(it)):
            assert session.execute("select from trigger_audit_log").fetchall() == []


@pytest.mark.parametrize("table", ["organisations", "members", "companies", "submissions", "accounts"])
def test_an_update_says_when(session: psycopg.Connection, table: str) -> None:
    """The time of the update itself, whatever the update claims."""
    session.execute(f"update {table} set updated_at = '1999-01-01'")
    fresh = session.execute(
        f"select bool_and(updated_at > now() - interval '1 hour') from {table}"
    ).fetchone()
    assert fresh == (True,)


def test_an_update_by_an_older_transaction_is_not_before_the_row(
    live: psycopg.Connection, clearscrub: Url
) -> None:
    with connect(clearscrub) as older, older.transaction():
        older.execute("select now()")
        live.execute("insert into companies (org_id, legal_name) values (%s, 'Bolt')", (A.org,))
        older.execute("update companies set ein = '222222222' where legal_name = 'Bolt'")
    late = live.execute("select count(*) from companies where updated_at < created_at").fetchone()
    assert late == (0,)
