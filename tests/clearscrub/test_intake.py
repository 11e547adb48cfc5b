"""The webhook's door: secret, organisation, submission, in this order and before any write; retries change nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from world import A, B, acting, claims

from reconciler.pg import Url, connect

GOOD = {"legal_name": "Acme Inc", "ein": "12-3456789", "amount": 50}
CONFLICT = {"legal_name": "Acme Inc", "ein": "999999999"}


def intake(
    session: psycopg.Connection,
    payload: object = GOOD,
    *,
    org: UUID | None = A.org,
    external_id: str | None = "second",
    secret: str | None = A.secret,
    isolation: str = "read committed",
) -> dict[str, Any]:
    """One delivery, as the gateway passes it on."""
    headers = {"content-type": "application/json"} | ({} if secret is None else {"x-webhook-secret": secret})
    with acting(session, "service_role", {"role": "service_role"}, headers, isolation=isolation):
        cursor = session.cursor(row_factory=dict_row)
        cursor.execute("select * from intake_submission(%s, %s, %s)", (org, external_id, Jsonb(payload)))
        row = cursor.fetchone()
    assert row is not None
    return row


def everything(session: psycopg.Connection) -> list[Any]:
    """Every row that an intake could write."""
    return [
        session.execute(f"select t::text from {table} as t order by 1").fetchall()
        for table in ("submissions", "companies", "company_aliases", "trigger_audit_log")
    ]


def test_a_submission_is_stored_with_its_company(session: psycopg.Connection) -> None:
    stored = intake(session)
    assert (stored["org_id"], stored["external_id"], stored["payload"]) == (A.org, "second", GOOD)
    assert (stored["status"], stored["company_id"], stored["rejection"]) == ("accepted", A.company, None)
    created = intake(session, {"legal_name": "Bolt"}, external_id="third")
    assert created["status"] == "accepted"
    assert session.execute(
        "select legal_name from companies where id = %s", (created["company_id"],)
    ).fetchone() == ("Bolt",)


Case = tuple[dict[str, Any], str, str]
SECRET = ("28000", "secret is missing or wrong")
ORGANISATION = ("42501", "does not belong to this organisation")
SUBMISSION = ("22023", "p_")
BAD_SUBMISSION: dict[str, Any] = {"payload": [], "external_id": ""}
UNKNOWN = UUID(int=0)


def refusals() -> Iterator[Any]:
    """What is wrong, and which of the checks must say so: always the first of those that fail."""
    for name, secret in (
        ("no secret", None),
        ("empty", ""),
        ("wrong", "guess"),
        ("upper case", A.secret.upper()),
    ):
        for org_name, org in (("own", A.org), ("foreign", B.org), ("unknown", UNKNOWN), ("null", None)):
            yield pytest.param(
                {"secret": secret, "org": org}, *SECRET, id=f"{name} secret, {org_name} organisation"
            )
            bad = {"secret": secret, "org": org, **BAD_SUBMISSION}
            yield pytest.param(bad, *SECRET, id=f"{name} secret, {org_name} organisation, bad submission")
    for org_name, org in (("foreign", B.org), ("unknown", UNKNOWN), ("null", None)):
        yield pytest.param({"org": org}, *ORGANISATION, id=f"{org_name} organisation")
        yield pytest.param(
            {"org": org, **BAD_SUBMISSION}, *ORGANISATION, id=f"{org_name} organisation, bad submission"
        )
    for name, bad in (
        ("no external id", {"external_id": None}),
        ("blank external id", {"external_id": "  "}),
        ("list", {"payload": []}),
        ("JSON null", {"payload": None}),
        ("no name", {"payload": {}}),
        ("null name", {"payload": {"legal_name": None}}),
        ("name without letters", {"payload": {"legal_name": " ., "}}),
        ("short EIN", {"payload": {"legal_name": "Acme", "ein": "12-34"}}),
        ("EIN of letters", {"payload": {"legal_name": "Acme", "ein": "abcdefghi"}}),
    ):
        yield pytest.param(bad, *SUBMISSION, id=name)


@pytest.mark.parametrize(("sent", "state", "sentence"), list(refusals()))
def test_the_first_failing_check_speaks_and_nothing_is_written(
    session: psycopg.Connection, sent: dict[str, Any], state: str, sentence: str
) -> None:
    before = everything(session)
    with pytest.raises(psycopg.Error) as caught:
        intake(session, **sent)
    said = caught.value.diag
    assert said.sqlstate == state
    assert said.message_primary is not None and said.message_primary.startswith("intake_submission: ")
    assert sentence in said.message_primary
    assert said.message_detail and said.message_hint
    assert A.secret not in str(caught.value)
    assert everything(session) == before


def test_without_any_header_setting_the_secret_is_missing(session: psycopg.Connection) -> None:
    call = "select intake_submission(%s, 'second', '{}')"
    for prepare in ("select", "select set_config('request.headers', '', true)"):
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification), acting(session, "service_role"):
            session.execute(prepare)
            session.execute(call, (A.org,))


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_only_the_service_role_may_call_it(session: psycopg.Connection, role: str) -> None:
    headers = {"x-webhook-secret": A.secret}
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        acting(session, role, claims(A, A.admin), headers),
    ):
        session.execute("select intake_submission(%s, 'second', %s)", (A.org, Jsonb(GOOD)))


def test_a_secret_that_was_withdrawn_is_wrong(session: psycopg.Connection) -> None:
    with acting(session, "service_role"):
        session.execute("delete from private.webhook_secrets where org_id = %s", (A.org,))
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        intake(session)
    assert intake(session, org=B.org, secret=B.secret)["org_id"] == B.org


@pytest.mark.parametrize("payload", [GOOD, CONFLICT], ids=["accepted", "rejected"])
def test_a_repeated_delivery_returns_what_the_first_one_stored(
    session: psycopg.Connection, payload: dict[str, Any]
) -> None:
    first = intake(session, payload)
    before = everything(session)
    assert intake(session, payload) == first
    assert everything(session) == before


def test_the_same_external_id_is_another_submission_elsewhere(session: psycopg.Connection) -> None:
    first, second = intake(session), intake(session, org=B.org, secret=B.secret)
    assert first["id"] != second["id"]
    assert (first["company_id"], second["company_id"]) == (A.company, B.company)


def test_an_external_id_cannot_be_used_for_another_payload(session: psycopg.Connection) -> None:
    intake(session)
    before = everything(session)
    with pytest.raises(psycopg.errors.UniqueViolation, match="already used for another payload"):
        intake(session, {**GOOD, "amount": 51})
    assert everything(session) == before


def test_a_rejection_is_kept_and_returned(session: psycopg.Connection) -> None:
    companies = session.execute("select c::text from companies as c order by 1").fetchall()
    rejected = intake(session, CONFLICT)
    assert (rejected["status"], rejected["company_id"]) == ("rejected", None)
    assert rejected["rejection"] == "company 'Acme, Inc.' is known with a different EIN"
    assert session.execute("select c::text from companies as c order by 1").fetchall() == companies
    logged = session.execute(
        "select actor_role, operation, new_values ->> 'status' from trigger_audit_log"
        " where org_id = %s and new_values ->> 'external_id' = 'second' order by id",
        (A.org,),
    ).fetchall()
    assert logged == [("service_role", "INSERT", "received"), ("service_role", "UPDATE", "rejected")]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_the_same_delivery_eight_times_at_once_is_one_submission(clearscrub: Url, level: str) -> None:
    barrier = threading.Barrier(8)

    def deliver(_: int) -> UUID:
        with connect(clearscrub) as session:
            barrier.wait(30)
            for _ in range(50):
                try:
                    found = intake(session, {"legal_name": "Bolt", "ein": "222222222"}, isolation=level)["id"]
                except psycopg.errors.SerializationFailure:
                    assert level != "read committed"
                else:
                    assert isinstance(found, UUID)
                    return found
        raise AssertionError("fifty retries were not enough")

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(deliver, range(8)))
    with connect(clearscrub) as session:
        stored = session.execute("select id, status from submissions where external_id = 'second'").fetchall()
    assert stored == [(ids.pop(), "accepted")] and not ids
