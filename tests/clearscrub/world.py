"""The little world of the ClearScrub tests: two organisations with the same rows, and how a request comes in.

Each organisation has an administrator, a member, a company with alias and account, a submission, a statement
with two transactions, and a webhook secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from reconciler.declare import read
from reconciler.pg import ident
from reconciler.shadow import materialise

SCHEMA = Path(__file__).parents[2] / "schema"
OWNER = "clearscrub_owner"
"""Owns the declared objects: neither superuser nor BYPASSRLS, the hardest case for functions that run as owner."""


def number(letter: str, n: int) -> UUID:
    """A readable id: aaaa… for organisation A, bbbb… for B, the last digits saying what it is."""
    return UUID(letter * 8 + f"-0000-4000-8000-{n:012d}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organisation and the ids of its rows."""

    letter: str

    @property
    def org(self) -> UUID:
        return number(self.letter, 1)

    @property
    def admin(self) -> UUID:
        return number(self.letter, 2)

    @property
    def member(self) -> UUID:
        return number(self.letter, 3)

    @property
    def company(self) -> UUID:
        return number(self.letter, 4)

    @property
    def account(self) -> UUID:
        return number(self.letter, 5)

    @property
    def submission(self) -> UUID:
        return number(self.letter, 6)

    @property
    def statement(self) -> UUID:
        return number(self.letter, 7)

    @property
    def secret(self) -> str:
        return f"secret of {self.letter}"


A, B = Tenant("a"), Tenant("b")


def claims(tenant: Tenant, user: UUID | None = None) -> dict[str, str]:
    """The JWT of a member of `tenant`, as the platform's gateway passes it on."""
    return {"sub": str(user or tenant.member), "role": "authenticated", "org_id": str(tenant.org)}


@contextmanager
def acting(
    session: psycopg.Connection,
    role: str,
    jwt: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    *,
    isolation: str = "read committed",
) -> Iterator[psycopg.Connection]:
    """One transaction, or savepoint, as the gateway begins it for a request: the role, the claims, the headers.

    What the request does not bring is '', as it is in a pooled session after an earlier request.
    """
    with session.transaction():
        if isolation != "read committed":
            session.execute(f"set transaction isolation level {isolation}")
        for setting, value in (("request.jwt.claims", jwt), ("request.headers", headers)):
            text = "" if value is None else json.dumps(value)
            session.execute("select set_config(%s, %s, true)", (setting, text))
        session.execute(f"set local role {ident(role)}")
        yield session
        session.execute("set local role none")  # in a savepoint the role would outlive this block


def load(session: psycopg.Connection, owner: str | None = None) -> None:
    """Everything declared, created by `owner` or by the session's own role."""
    materialise.load(session, read(SCHEMA).files, role=owner)


def seed(session: psycopg.Connection) -> None:
    """The rows of both organisations."""
    for it in (A, B):
        session.execute("insert into auth.users (id) values (%s), (%s)", (it.admin, it.member))
        session.execute(
            "insert into organisations (org_id, name) values (%s, %s)", (it.org, f"Org {it.letter}")
        )
        session.execute(
            "insert into members (org_id, user_id, role) values (%s, %s, 'admin'), (%s, %s, 'member')",
            (it.org, it.admin, it.org, it.member),
        )
        session.execute(
            "insert into companies (org_id, id, legal_name, ein) values (%s, %s, 'Acme, Inc.', '123456789')",
            (it.org, it.company),
        )
        session.execute(
            "insert into company_aliases (org_id, company_id, alias) values (%s, %s, 'Acme Anvils')",
            (it.org, it.company),
        )
        session.execute(
            "insert into accounts (org_id, id, company_id, institution, last_four) values (%s, %s, %s, 'Bank', '0001')",
            (it.org, it.account, it.company),
        )
        session.execute(
            "insert into submissions (org_id, id, external_id, payload, status, company_id)"
            " values (%s, %s, 'first', '{}', 'accepted', %s)",
            (it.org, it.submission, it.company),
        )
        session.execute(
            "insert into statements (org_id, id, account_id, submission_id, period_start, period_end,"
            " opening_balance, closing_balance) values (%s, %s, %s, %s, '2026-01-01', '2026-01-31', 0, 70)",
            (it.org, it.statement, it.account, it.submission),
        )
        session.execute(
            "insert into transactions (org_id, statement_id, posted_on, amount, description)"
            " values (%s, %s, '2026-01-05', 100, 'sale'), (%s, %s, '2026-01-31', -30, 'rent')",
            (it.org, it.statement, it.org, it.statement),
        )
        session.execute(
            "insert into private.webhook_secrets (secret_hash, org_id)"
            " values (sha256(convert_to(%s, 'UTF8')), %s)",
            (it.secret, it.org),
        )
