"""The rollups: right figures after a refresh, refreshed by the service role alone, read by organisation."""

from __future__ import annotations

import datetime
from decimal import Decimal

import psycopg
import pytest
from world import A, B, acting, claims

from reconciler.pg import Url, connect

READ = "select account_id, month, transaction_count, money_in, money_out from org_account_monthly_rollups order by month"
JANUARY, FEBRUARY = datetime.date(2026, 1, 1), datetime.date(2026, 2, 1)


def refresh(session: psycopg.Connection) -> None:
    with acting(session, "service_role"):
        session.execute("select refresh_account_monthly_rollups()")


def test_a_refresh_adds_up_each_month_of_each_account(session: psycopg.Connection) -> None:
    """As an owner without BYPASSRLS: were transactions or statements forced, this would be empty."""
    session.execute(
        "insert into transactions (org_id, statement_id, posted_on, amount, description) values"
        " (%s, %s, '2026-02-01', 7, 'next month')",
        (A.org, A.statement),
    )
    refresh(session)
    with acting(session, "authenticated", claims(A)):
        assert session.execute(READ).fetchall() == [
            (A.account, JANUARY, 2, Decimal("100.00"), Decimal("-30.00")),
            (A.account, FEBRUARY, 1, Decimal("7.00"), Decimal(0)),
        ]
    with acting(session, "authenticated", claims(B)):
        assert session.execute(READ).fetchall() == [
            (B.account, JANUARY, 2, Decimal("100.00"), Decimal("-30.00"))
        ]
    with acting(session, "service_role"):
        assert session.execute("select count(*) from account_monthly_rollups").fetchone() == (3,)


def test_a_refresh_can_run_again(session: psycopg.Connection) -> None:
    refresh(session)
    once = session.execute(
        "select * from account_monthly_rollups order by org_id, account_id, month"
    ).fetchall()
    refresh(session)
    assert (
        session.execute("select * from account_monthly_rollups order by org_id, account_id, month").fetchall()
        == once
    )
    assert len(once) == 2


def test_readers_are_not_kept_waiting_by_a_refresh(live: psycopg.Connection, clearscrub: Url) -> None:
    refresh(live)
    with connect(clearscrub) as reader, live.transaction():
        live.execute("select refresh_account_monthly_rollups()")
        reader.execute("set lock_timeout = '1s'")
        with acting(reader, "authenticated", claims(A)):
            assert len(reader.execute(READ).fetchall()) == 1


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "command", ["select refresh_account_monthly_rollups()", "select from account_monthly_rollups"]
)
def test_users_neither_refresh_nor_read_everyones_figures(
    session: psycopg.Connection, role: str, command: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, role, claims(A, A.admin)):
        session.execute(command)


def test_no_trigger_refreshes(session: psycopg.Connection) -> None:
    found = session.execute(
        "select p.proname from pg_catalog.pg_trigger as t join pg_catalog.pg_proc as p on p.oid = t.tgfoid"
        " where p.prosrc ~* 'refresh' order by 1"
    ).fetchall()
    assert found == []
