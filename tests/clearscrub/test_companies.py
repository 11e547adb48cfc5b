"""Entity resolution: the four steps, and one company however many sign up at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from world import A, B, acting, claims

from reconciler.pg import Url, connect

LEVELS = ("read committed", "repeatable read", "serializable")


def resolve(session: psycopg.Connection, name: str, ein: str | None = None, org: UUID = A.org) -> UUID:
    row = session.execute("select resolve_company(%s, %s, %s)", (org, name, ein)).fetchone()
    assert row is not None
    found = row[0]
    assert isinstance(found, UUID)
    return found


def companies(session: psycopg.Connection, org: UUID = A.org) -> list[tuple[Any, ...]]:
    return session.execute(
        "select id, legal_name, ein from companies where org_id = %s order by legal_name", (org,)
    ).fetchall()


@pytest.mark.parametrize(
    ("name", "ein"),
    [
        pytest.param("Something Else", "123456789", id="1 EIN"),
        pytest.param("Something Else", "12-3456789", id="1 EIN with hyphen"),
        pytest.param("acme inc", None, id="2 name"),
        pytest.param("  ACME,   Inc ", "123456789", id="2 name and EIN"),
        pytest.param("acme-anvils", None, id="3 alias"),
        pytest.param("Acme Anvils.", "123456789", id="3 alias and EIN"),
    ],
)
def test_a_known_company_is_found(session: psycopg.Connection, name: str, ein: str | None) -> None:
    before = companies(session)
    assert resolve(session, name, ein) == A.company
    assert companies(session) == before


def test_4_an_unknown_company_is_created_once(session: psycopg.Connection) -> None:
    new = resolve(session, "Bolt & Sons, L.L.C.", "98-7654321")
    assert (new, "Bolt & Sons, L.L.C.", "987654321") in companies(session)
    assert resolve(session, "bolt sons llc") == new
    assert resolve(session, "Bolt Holding", "987654321") == new
    assert len(companies(session)) == 2


def test_the_legal_form_tells_companies_apart(session: psycopg.Connection) -> None:
    assert resolve(session, "Acme LLC") != A.company


def test_a_name_comes_before_an_alias(session: psycopg.Connection) -> None:
    other = resolve(session, "Anvils United")
    session.execute(
        "insert into company_aliases (org_id, company_id, alias) values (%s, %s, 'Anvils United')",
        (A.org, A.company),
    )
    assert resolve(session, "anvils united") == other


def test_the_ein_outweighs_the_name(session: psycopg.Connection) -> None:
    named = resolve(session, "Bolt")
    before = companies(session)
    assert resolve(session, "Bolt", "123456789") == A.company != named
    assert companies(session) == before


@pytest.mark.parametrize("name", ["Acme, Inc.", "Acme Anvils"])
def test_a_name_with_another_ein_is_refused_by_name(session: psycopg.Connection, name: str) -> None:
    before = companies(session)
    with pytest.raises(psycopg.Error) as caught, session.transaction():
        resolve(session, name, "111111111")
    said = caught.value.diag
    assert said.sqlstate == "CS001"
    assert said.message_primary == "company 'Acme, Inc.' is known with a different EIN"
    assert said.table_name == "companies"
    assert said.message_detail is not None and str(A.company) in said.message_detail
    assert said.message_hint is not None
    assert companies(session) == before


def test_a_company_first_seen_without_its_ein_gets_it(session: psycopg.Connection) -> None:
    first = resolve(session, "Bolt")
    assert resolve(session, "BOLT", "22-2222222") == first
    assert (first, "Bolt", "222222222") in companies(session)
    assert resolve(session, "Bolt Holding", "222222222") == first


@pytest.mark.parametrize(
    ("name", "ein"), [("", None), ("...", None), (None, None), ("Bolt", "12"), ("Bolt", "abc")]
)
def test_nonsense_creates_nothing(session: psycopg.Connection, name: str, ein: str | None) -> None:
    before = companies(session)
    with pytest.raises(psycopg.IntegrityError), session.transaction():
        resolve(session, name, ein)
    assert companies(session) == before


def test_the_same_name_in_two_organisations_is_two_companies(session: psycopg.Connection) -> None:
    assert resolve(session, "Acme, Inc.", org=A.org) == A.company
    assert resolve(session, "Acme, Inc.", org=B.org) == B.company


@pytest.mark.parametrize(
    ("name", "ein"), [("Nut", None), ("Nuts & Bolts", None), ("Something Else", "222222222")]
)
def test_what_another_organisation_knows_does_not_count(
    session: psycopg.Connection, name: str, ein: str | None
) -> None:
    """Its name, its alias, its EIN: even to the superuser and the service role, whom no policy binds."""
    foreign = resolve(session, "Nut", "222222222", org=B.org)
    session.execute(
        "insert into company_aliases (org_id, company_id, alias) values (%s, %s, 'Nuts & Bolts')",
        (B.org, foreign),
    )
    assert resolve(session, name, ein) in {id for id, _, _ in companies(session)} - {A.company}


def test_a_member_resolves_in_their_own_organisation_only(session: psycopg.Connection) -> None:
    with acting(session, "authenticated", claims(A)):
        assert resolve(session, "Acme Inc") == A.company
        assert resolve(session, "New Inc", "333333333") != A.company
    for name in ("Acme Inc", "Unheard Of"):  # one that exists there and one that does not: the same answer
        with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, "authenticated", claims(A)):
            resolve(session, name, org=B.org)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting(session, "anon"):
        resolve(session, "Acme Inc")


SIGN_UPS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "the same sign-up": (("Bolt Inc", "222222222"),),
    "two spellings, one EIN": (("Bolt Inc", "222222222"), ("Bolt Holding", "222222222")),
    "with and without EIN": (("Bolt Inc", "222222222"), ("BOLT, INC.", None)),
    "names only": (("Bolt Inc", None), ("bolt inc.", None)),
}


@pytest.mark.parametrize("threads", [2, 8])
@pytest.mark.parametrize("level", LEVELS)
def test_concurrent_sign_ups_end_as_one_company(clearscrub: Url, level: str, threads: int) -> None:
    """Every thread signs up the same company at the same moment; one that PostgreSQL asks to retry, retries."""
    barrier = threading.Barrier(threads)

    def sign_up(number: int) -> list[UUID]:
        with connect(clearscrub) as session:
            return [
                once(session, group, *each[number % len(each)])
                for group, each in enumerate(SIGN_UPS.values())
            ]

    def once(session: psycopg.Connection, group: int, name: str, ein: str | None) -> UUID:
        # each group is a company of its own
        name, ein = f"{name} {group}", ein and f"{group}{ein[1:]}"
        barrier.wait(30)
        for _ in range(50):
            try:
                with acting(session, "service_role", isolation=level):
                    return resolve(session, name, ein)
            except psycopg.errors.SerializationFailure:
                assert level != "read committed", "at READ COMMITTED nobody has to retry a plain sign-up"
        raise AssertionError("fifty retries were not enough")

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(sign_up, range(threads)))
    with connect(clearscrub) as session:
        found = companies(session)
    assert len(found) == 1 + len(SIGN_UPS), "the company that was there, and one per group"
    for group, ids in enumerate(zip(*answers, strict=True)):
        assert len(set(ids)) == 1, list(SIGN_UPS)[group]
        assert ids[0] in {id for id, _, _ in found}


@contextmanager
def waiting_for(
    url: Url, holder: psycopg.Connection, work: Callable[[psycopg.Connection], Any]
) -> Iterator[Future[Any]]:
    """Runs `work` in a second session; the block begins when that session waits for `holder`'s transaction."""
    with connect(url) as second, connect(url) as watch, ThreadPoolExecutor(1) as pool:
        result = pool.submit(work, second)
        blocked = "select %s = any (pg_blocking_pids(%s))"
        until = time.monotonic() + 30
        while watch.execute(blocked, (holder.info.backend_pid, second.info.backend_pid)).fetchone() != (
            True,
        ):
            assert not result.done(), f"it did not wait: {result}"
            assert time.monotonic() < until
            time.sleep(0.002)
        yield result


@pytest.mark.parametrize("first", ["commits", "rolls back"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_second_sign_up_waits_and_takes_the_first_ones_company(
    clearscrub: Url, live: psycopg.Connection, level: str, first: str
) -> None:
    def second(other: psycopg.Connection) -> UUID:
        with acting(other, "service_role", isolation=level):
            other.execute("select")  # above READ COMMITTED the snapshot is taken before the first one commits
            return resolve(other, "Bolt Inc.", "222222222")

    live.execute(f"begin isolation level {level}")
    winner = resolve(live, "Bolt Inc", "222222222")
    with waiting_for(clearscrub, live, second) as answer:
        live.execute("commit" if first == "commits" else "rollback")
        if first == "rolls back":
            assert answer.result(30) != winner
        elif level == "read committed":
            assert answer.result(30) == winner
        else:
            with pytest.raises(psycopg.errors.SerializationFailure):
                answer.result(30)
    assert len(companies(live)) == 2


@pytest.mark.parametrize("level", LEVELS)
def test_an_ein_taken_meanwhile_is_a_race_and_not_a_rejection(
    clearscrub: Url, live: psycopg.Connection, level: str
) -> None:
    """One gives the EIN to a new company while another is about to complete a known company with it."""
    resolve(live, "Bolt")

    def second(other: psycopg.Connection) -> UUID:
        with acting(other, "service_role", isolation=level):
            return resolve(other, "Bolt", "222222222")

    live.execute("begin")
    winner = resolve(live, "Bolt Holding", "222222222")
    with waiting_for(clearscrub, live, second) as answer:
        live.execute("commit")
        with pytest.raises(psycopg.errors.SerializationFailure):
            answer.result(30)
    assert second(live) == winner, "and the retry finds it by its EIN"


def test_two_eins_for_one_name_at_once_leave_the_first_one(clearscrub: Url, live: psycopg.Connection) -> None:
    resolve(live, "Bolt")

    def second(other: psycopg.Connection) -> UUID:
        return resolve(other, "Bolt", "333333333")

    live.execute("begin")
    first = resolve(live, "Bolt", "222222222")
    with waiting_for(clearscrub, live, second) as answer:
        live.execute("commit")
        with pytest.raises(psycopg.Error) as caught:
            answer.result(30)
    assert caught.value.sqlstate == "CS001"
    assert (first, "Bolt", "222222222") in companies(live)
