"""Why a connection could not be made, read from libpq's message: libpq gives no SQLSTATE before the login.

Knows the messages of PostgreSQL 14 to 18, of libpq and of the common poolers, in English. What it does not
know counts as passing by itself (`Waiting`) and is shown as it is, so that nobody is told to change
something in vain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.pg.secret import scrub
from reconciler.pg.url import Url


@dataclass(frozen=True, slots=True)
class _Reason:
    pattern: str
    says: str
    hint: str
    passes: bool = False


_REASONS: tuple[_Reason, ...] = (
    _Reason(
        r"password authentication failed|no such user|SASL authentication failed|wrong password"
        r"|authentication failed for user|Tenant or user not found",
        "the server refused the user name or the password",
        "correct the login in the URL, in PGPASSWORD or in .pgpass",
    ),
    _Reason(
        r"no password supplied|password is missing|empty password",
        "the server wants a password and none was given",
        "put it into the URL (${VARIABLE} keeps it out of the file), into PGPASSWORD or into .pgpass",
    ),
    _Reason(
        r'role "[^"]*" does not exist|is not permitted to log in',
        "this role does not exist or may not log in",
        "create it with: create role … login password …; or use another user in the URL",
    ),
    _Reason(
        r'database "[^"]*" does not exist|no such database',
        "this database does not exist",
        "create it with: create database …; or correct the name at the end of the URL",
    ),
    _Reason(
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        "the server's pg_hba.conf does not admit this user from here",
        "add a line for this user, database and address to pg_hba.conf and reload, or add sslmode=require",
    ),
    _Reason(
        r"is not currently accepting connections|permission denied for database",
        "this database admits no connection by this user",
        "grant connect on database … to …; or alter database … allow_connections true",
    ),
    _Reason(
        r"does not support SSL|certificate|SSL error|sslmode|GSSAPI|authentication method requirement"
        r"|server requires encryption",
        "the two sides do not agree about encryption or authentication",
        "check sslmode, sslrootcert and require_auth in the URL against the server's configuration",
    ),
    _Reason(
        r"unsupported frontend protocol|received invalid response to SSL negotiation|invalid response"
        r"|unrecognized configuration parameter|unsupported startup parameter|expected auth",
        "what answers there is not a PostgreSQL server that understands this connection",
        "check host and port; behind a pooler, use its session-mode port or the direct one",
    ),
    _Reason(
        r"too many clients|too many connections|connection slots are reserved|no more connections allowed"
        r"|max client connections|query_wait_timeout|remaining connection",
        "the server has no free connection",
        "it is tried again by itself; if it stays, raise max_connections or close idle sessions",
        passes=True,
    ),
    _Reason(
        r"starting up|shutting down|in recovery mode|not yet accepting connections|not accepting connections"
        r"|hot standby|terminating connection|read-only|read only|in recovery",
        "the server is starting, stopping, recovering or a standby",
        "it is tried again by itself; check the server's log if it stays",
        passes=True,
    ),
    _Reason(
        r"could not translate host name|Name or service not known|failed to resolve|nodename nor servname",
        "the host name cannot be resolved",
        "check the host in the URL and the name service; it is tried again by itself",
        passes=True,
    ),
    _Reason(
        r"refused|timeout|timed out|No route|unreachable|No such file or directory|closed the connection"
        r"|reset by peer|could not connect|could not receive",
        "the server cannot be reached",
        "check that it runs and that host, port and firewall are right; it is tried again by itself",
        passes=True,
    ),
)


def connection_failure(url: Url, message: str) -> ReconcilerError:
    """The error to raise for libpq's `message`: `Stalled` where a person must act, otherwise `Waiting`.

    Where several hosts or addresses were tried, a reason to act at one of them beats a reason to wait.
    """
    # Masking a password equal to the user or the database would only point at it.
    shown = {url.user, url.database, url.host}
    told = scrub(message, *(secret for _, secret in url.secrets if secret.reveal() not in shown))
    for reason in _REASONS:
        if re.search(reason.pattern, message, re.IGNORECASE):
            kind = Waiting if reason.passes else Stalled
            return kind(f"{url.redacted}: {reason.says} ({_last_words(told)})", hint=reason.hint)
    return Waiting(f"{url.redacted}: no connection ({_last_words(told)})", hint="it is tried again by itself")


def _last_words(message: str) -> str:
    """The part of libpq's message that tells: without the places it tried and without its advice."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"failed: |FATAL|ERROR", line)] or lines
    words = telling[-1] if telling else "no message"
    return re.sub(r"^.*?failed: ", "", re.sub(r"^(connection failed: )?", "", words)) or words
