"""Tenants: what a user of one organisation can see and change of another's rows, table by table."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from world import A, B, Tenant, acting, claims

TABLES = (
    "organisations",
    "members",
    "companies",
    "company_aliases",
    "submissions",
    "accounts",
    "statements",
    "transactions",
)
WRITABLE = ("companies", "company_aliases", "accounts", "statements", "transactions")
"""Where a plain member may insert, update and delete."""
CHANGE = {
    "organisations": "name = 'x'",
    "members": "role = 'admin'",
    "companies": "legal_name = 'x'",
    "company_aliases": "alias = 'x'",
    "accounts": "institution = 'x'",
    "statements": "closing_balance = 0",
    "transactions": "amount = 0",
}
"""An update that reads no column: reading one would make PostgreSQL ask the policy for SELECT as well."""
EVERYTHING = (*TABLES, "trigger_audit_log", "account_monthly_rollups", "org_account_monthly_rollups")

Row = tuple[str, tuple[object, ...]]


def new_row(table: str, it: Tenant) -> Row:
    """An insert of a new row into `table`, entirely in the organisation of `it`."""
    rows: dict[str, tuple[str, tuple[object, ...]]] = {
        "organisations": ("(org_id, name)", (uuid4(), "New")),
        "members": ("(org_id, user_id, role)", (it.org, (B if it == A else A).member, "admin")),
        "companies": ("(org_id, legal_name)", (it.org, "New Company")),
        "company_aliases": ("(org_id, company_id, alias)", (it.org, it.company, "New alias")),
        "submissions": ("(org_id, external_id, payload)", (it.org, "new", Jsonb({}))),
        "accounts": (
            "(org_id, company_id, institution, last_four)",
            (it.org, it.company, "New Bank", "0002"),
        ),
        "statements": (
            "(org_id, account_id, period_start, period_end, opening_balance, closing_balance)",
            (it.org, it.account, "2026-02-01", "2026-02-28", 0, 0),
        ),
        "transactions": (
            "(org_id, statement_id, posted_on, amount, description)",
            (it.org, it.statement, "2026-01-06", 1, "new"),
        ),
        "trigger_audit_log": (
            "(org_id, actor_role, table_name, operation)",
            (it.org, "me", "companies", "INSERT"),
        ),
    }
    columns, values = rows[table]
    return f"insert into {table} {columns} values ({', '.join(['%s'] * len(values))})", values


def visible(session: psycopg.Connection, table: str) -> set[object]:
    return {row[0] for row in session.execute(f"select org_id from {table} order by 1")}


@pytest.mark.parametrize("table", TABLES)
def test_a_member_reads_the_rows_of_their_organisation_and_no_other(
    session: psycopg.Connection, table: str
) -> None:
    assert visible(session, table) == {A.org, B.org}, "without row-level security both are there"
    for it in (A, B):
        with acting(session, "authenticated", claims(it)):
            assert visible(session, table) == {it.org}


@pytest.mark.parametrize("table", sorted(CHANGE))
def test_nobody_changes_or_removes_rows_of_another_organisation(
    session: psycopg.Connection, table: str
) -> None:
    """Without WHERE, which would read a column. Without foreign keys, which would hide a delete that is allowed."""
    session.execute("set local session_replication_role = replica")
    foreign = f"select t::text from {table} as t where org_id = %s order by 1"
    before = session.execute(foreign, (B.org,)).fetchall()
    assert before
    for command in (f"update {table} set {CHANGE[table]}", f"delete from {table}"):
        try:
            with acting(session, "authenticated", claims(A, A.admin)):
                assert session.execute(command).rowcount >= 1
        except psycopg.errors.InsufficientPrivilege:
            assert command == "delete from organisations", "only organisations grants no delete at all"
        assert session.execute(foreign, (B.org,)).fetchall() == before


@pytest.mark.parametrize("table", [*TABLES, "trigger_audit_log"])
def test_nobody_adds_a_row_to_another_organisation(session: psycopg.Connection, table: str) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting(session, "authenticated", claims(A, A.admin)),
    ):
        session.execute(*new_row(table, B))


@pytest.mark.parametrize("table", WRITABLE)
def test_a_member_writes_in_their_own_organisation(session: psycopg.Connection, table: str) -> None:
    with acting(session, "authenticated", claims(A)), session.transaction(force_rollback=True):
        assert session.execute(*new_row(table, A)).rowcount == 1
        assert session.execute(f"update {table} set org_id = org_id").rowcount >= 2
        if table not in ("companies", "accounts"):  # what others refer to stays
            assert session.execute(f"delete from {table}").rowcount >= 1


@pytest.mark.parametrize("table", WRITABLE)
def test_a_row_cannot_be_moved_to_another_organisation(session: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, "authenticated", claims(A)):
        session.execute(f"update {table} set org_id = %s", (B.org,))


@pytest.mark.parametrize(
    ("table", "column", "target"),
    [
        ("company_aliases", "company_id", "company"),
        ("accounts", "company_id", "company"),
        ("statements", "account_id", "account"),
        ("statements", "submission_id", "submission"),
        ("transactions", "statement_id", "statement"),
    ],
)
def test_a_reference_cannot_cross_organisations(
    session: psycopg.Connection, table: str, column: str, target: str
) -> None:
    """Not even for the service role, which row-level security does not bind."""
    for role, jwt in (("authenticated", claims(A)), ("service_role", None)):
        with pytest.raises(psycopg.errors.ForeignKeyViolation), acting(session, role, jwt):
            session.execute(
                f"update {table} set {column} = %s where org_id = %s", (getattr(B, target), A.org)
            )


@pytest.mark.parametrize("relation", EVERYTHING)
def test_anon_can_do_nothing(session: psycopg.Connection, relation: str) -> None:
    commands = [f"select from {relation}"]
    if "rollups" not in relation:
        commands += [
            f"insert into {relation} default values",
            f"delete from {relation}",
            f"truncate {relation}",
        ]
        commands += [f"update {relation} set org_id = org_id"]
    for command in commands:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, "anon", claims(A)):
            session.execute(command)


@pytest.mark.parametrize("table", [*TABLES, "trigger_audit_log", "private.webhook_secrets"])
def test_no_user_may_truncate(session: psycopg.Connection, table: str) -> None:
    """TRUNCATE does not ask row-level security."""
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting(session, "authenticated", claims(A, A.admin)),
    ):
        session.execute(f"truncate {table} cascade")


@pytest.mark.parametrize(
    "jwt",
    [
        pytest.param(None, id="no request"),
        pytest.param({}, id="no claims"),
        pytest.param({"sub": str(A.member)}, id="no organisation"),
        pytest.param({"sub": str(A.member), "org_id": ""}, id="empty organisation"),
        pytest.param({"sub": str(A.member), "org_id": None}, id="null organisation"),
        pytest.param({"org_id": str(A.org)}, id="no user"),
        pytest.param({"sub": None, "org_id": str(A.org)}, id="null user"),
        pytest.param({"sub": str(B.admin), "org_id": str(A.org)}, id="not a member"),
        pytest.param(
            {"sub": str(A.member), "user_metadata": {"org_id": str(A.org)}}, id="only user_metadata"
        ),
    ],
)
def test_without_claim_and_membership_there_is_no_row(
    session: psycopg.Connection, jwt: dict[str, object] | None
) -> None:
    with acting(session, "authenticated", jwt):
        for table in (*TABLES, "trigger_audit_log", "org_account_monthly_rollups"):
            assert visible(session, table) == set()


def test_a_setting_that_an_earlier_request_left_empty_is_no_claim(session: psycopg.Connection) -> None:
    with acting(session, "authenticated", claims(A)):
        assert visible(session, "companies") == {A.org}
    with acting(session, "authenticated"):
        assert session.execute("select current_setting('request.jwt.claims')").fetchone() == ("",)
        assert visible(session, "companies") == set()


def test_a_removed_member_loses_access_at_once(session: psycopg.Connection) -> None:
    with session.transaction(force_rollback=True):
        session.execute("delete from members where user_id = %s", (A.member,))
        with acting(session, "authenticated", claims(A)):
            assert visible(session, "companies") == set()


@pytest.mark.parametrize("user", [A.member, A.admin], ids=["member", "admin"])
def test_nobody_climbs(session: psycopg.Connection, user: object) -> None:
    """A member cannot make themselves an administrator; neither adds or moves members."""
    jwt = {"sub": str(user), "org_id": str(A.org)}
    with acting(session, "authenticated", jwt), session.transaction(force_rollback=True):
        promoted = session.execute(
            "update members set role = 'admin' where user_id = %s", (A.member,)
        ).rowcount
        removed = session.execute("delete from members where user_id = %s", (A.member,)).rowcount
        assert (promoted, removed) == ((1, 1) if user == A.admin else (0, 0))
    for command in (
        f"insert into members (org_id, user_id) values ('{A.org}', '{B.member}')",
        f"update members set user_id = '{B.member}'",
        f"update members set org_id = '{B.org}'",
        f"update organisations set org_id = '{B.org}'",
        "insert into organisations (name) values ('Mine')",
        "delete from organisations",
        "select * from private.webhook_secrets",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, "authenticated", jwt):
            session.execute(command)


def test_only_an_administrator_renames_the_organisation(session: psycopg.Connection) -> None:
    for user, changed in ((A.member, 0), (A.admin, 1)):
        with acting(session, "authenticated", claims(A, user)), session.transaction(force_rollback=True):
            assert session.execute("update organisations set name = 'New'").rowcount == changed


def test_a_users_own_function_sees_no_foreign_rollup(session: psycopg.Connection) -> None:
    """security_barrier: a cheap function in the WHERE clause that notes what it is given, without an index."""
    session.execute("refresh materialized view account_monthly_rollups")
    session.execute("set local enable_indexscan = off; set local enable_bitmapscan = off")
    session.execute("create temporary table seen (org_id uuid)")
    session.execute("grant insert on seen to authenticated")
    session.execute(
        "create function pg_temp.note(o uuid) returns boolean language plpgsql cost 0.0000001"
        " as 'begin insert into seen values (o); return true; end'"
    )
    with acting(session, "authenticated", claims(A)):
        rows = session.execute(
            "select org_id from org_account_monthly_rollups where pg_temp.note(org_id)"
        ).fetchall()
    assert rows == [(A.org,)]
    assert session.execute("select distinct org_id from seen").fetchall() == [(A.org,)]
