"""One try as PostgreSQL sees it: a transaction that is rolled back whatever happens, and everything that came back from it.

Sends a whole try as one message of the simple protocol and reads the answers as text, because an audit makes tens of thousands of
them. Promises that nothing a try did is left behind but the steps of sequences, and that no try takes longer than
`SECONDS` per statement. Never judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import pq
from psycopg.errors import Diagnostic
from psycopg.rows import TupleRow

from reconciler.pg import Url, connect, ident, literal
from reconciler.shadow.footprint import Touched, Watch, difference, watch
from reconciler.shadow.tenants.values import Identity

SECONDS = 5
SETTINGS: Mapping[str, str] = {
    "statement_timeout": f"{SECONDS}s",
    "lock_timeout": "2s",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "xmloption": "content",
    "jit": "off",
    "lc_messages": "C",
    "search_path": '"$user", public, extensions',
}
"""So that the same row is the same text in every session, and in psql."""

_MARK = "reconciler: the attack begins"
_REMOVED = ("reconciler_oid", "reconciler_ctid")
_LOOKED = ("reconciler_oid", "reconciler_ctid", "reconciler_text", "reconciler_owner")
REMOVED = "x.tableoid::bigint as reconciler_oid, x.ctid::text as reconciler_ctid"
"""What a statement of the harness returns about rows (as `x`) that it takes away before the attack."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement answered: its command tag, and rows as text."""

    tag: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()

    @property
    def count(self) -> int:
        """How many rows the statement says it processed."""
        last = self.tag.rpartition(" ")[2]
        return int(last) if last.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as the client gets it."""

    code: str
    message: str
    detail: str = ""
    hint: str = ""
    context: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def text(self) -> str:
        return "\n".join((self.message, self.detail, self.hint, self.context))


@dataclass(frozen=True, slots=True)
class Seen:
    """A row at a moment: the OID of its table, its place, its text, and its owner as `Owned.owner` gives it."""

    oid: int
    ctid: str
    text: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try came to. `ready` is false when what the harness did beforehand failed: then there was no attack.

    `removed` are the rows (table OID, ctid) that the harness took away, `touched` the tables that the attack moved, `looked` the
    rows that were asked for right before it.
    """

    ready: bool
    results: tuple[Result, ...] = ()
    trouble: Trouble | None = None
    notices: tuple[str, ...] = ()
    touched: tuple[Touched, ...] = ()
    removed: frozenset[tuple[int, str]] = frozenset()
    looked: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """A connection as superuser to one of the two databases. `settings` are all that any identity sets: who brings none has ''.

    `watch` sees what is written, which is all that most tries need to know.
    """

    connection: psycopg.Connection[TupleRow]
    watch: Watch
    settings: tuple[str, ...]
    said: list[str] = field(default_factory=list)


def opened(url: Url, settings: Sequence[str]) -> Session:
    """A session for tries in one database; close its connection afterwards."""
    connection = connect(url, application_name="reconciler audit")
    for name, value in SETTINGS.items():
        connection.execute("select pg_catalog.set_config(%s, %s, false)", (name, value))
    session = Session(connection, watch(connection, indexes=False), tuple(settings))

    def hear(notice: Diagnostic) -> None:
        parts = (notice.message_primary, notice.message_detail, notice.message_hint)
        session.said.append("\n".join(part for part in parts if part))

    connection.add_notice_handler(hear)
    return session


def acting(identity: Identity, settings: Sequence[str]) -> str:
    """SQL that makes the transaction a request of this identity."""
    named = {**dict.fromkeys(settings, ""), **identity.settings}
    sets = [f"pg_catalog.set_config({literal(k)}, {literal(v)}, true)" for k, v in sorted(named.items())]
    role = f"set local role {ident(identity.role)}"
    return f"select {', '.join(sets)}; {role}" if sets else role


def quietly(setup: Sequence[str]) -> list[str]:
    """Statements of the harness, done without triggers and keys; none for none."""
    if not setup:
        return []
    role = "set local session_replication_role ="
    return [f"{role} replica", *setup, f"{role} origin"]


def attempt(
    session: Session,
    identity: Identity | None,
    sql: str,
    *,
    setup: Sequence[str] = (),
    before: Sequence[tuple[Identity, str]] = (),
    looks: Sequence[str] = (),
    watched: bool = True,
) -> Answer:
    """Does `setup` as superuser without triggers, lets others do `before`, then `sql` as `identity` (None: as superuser).

    Without `watched` nobody asks what was written. The transaction stays open, as superuser again when there was no error, so that
    rows can be looked at; `over` ends it.
    """
    parts = ["begin", *quietly(setup)]
    for someone, does in before:
        parts += [acting(someone, session.settings), does, "set local role none"]
    counted = [session.watch.sql] if watched else []
    parts += [*looks, *counted]
    if identity is not None:
        parts.append(acting(identity, session.settings))
    parts += [f"select '{_MARK}'", sql, "set constraints all immediate", "set local role none", *counted]
    del session.said[:]
    results, trouble = sent(session.connection, ";\n".join(parts))
    at = next((i for i, r in enumerate(results) if r.rows == ((_MARK,),)), None)
    if at is None:
        return Answer(False, (), trouble, tuple(session.said))
    removed = frozenset(
        (int(oid or 0), ctid or "") for r in results[:at] if r.columns == _REMOVED for oid, ctid in r.rows
    )
    looked = tuple(row for r in results[:at] for row in _seen(r))
    if trouble is not None:
        return Answer(True, tuple(results[at + 1 :]), trouble, tuple(session.said), (), removed, looked)
    if not watched:
        return Answer(True, tuple(results[at + 1 : -2]), None, tuple(session.said), (), removed, looked)
    before_it = next(
        r.rows for r in reversed(results[:at]) if r.columns[:1] == ("oid",) and len(r.columns) == 7
    )
    touched = difference(session.watch, before_it, results[-1].rows)
    return Answer(True, tuple(results[at + 1 : -3]), None, tuple(session.said), touched, removed, looked)


def look(oid: int, relation: str, owner: str) -> str:
    """A query for the rows of one table (none of its partitions or heirs), to be read with `looked` or sent as one of `looks`."""
    return (
        f"select {oid}::bigint as reconciler_oid, x.ctid::text as reconciler_ctid, (x.*)::text as reconciler_text,"
        f" ({owner or 'null'})::text as reconciler_owner from only {relation} as x"
    )


def looked(session: Session, looks: Sequence[str]) -> tuple[tuple[Seen, ...], Trouble | None]:
    """The rows of some tables as they are now, in the transaction of the try."""
    results, trouble = sent(session.connection, ";\n".join(looks))
    return tuple(row for result in results for row in _seen(result)), trouble


def _seen(result: Result) -> Iterator[Seen]:
    if result.columns == _LOOKED:
        for oid, ctid, text, owner in result.rows:
            yield Seen(int(oid or 0), ctid or "", text or "", owner)


def over(session: Session) -> None:
    """Takes back whatever the try did. Where an interruption left answers unread, closing the session does it."""
    if session.connection.info.transaction_status in (
        pq.TransactionStatus.INTRANS,
        pq.TransactionStatus.INERROR,
    ):
        sent(session.connection, "rollback; deallocate all; select pg_catalog.pg_advisory_unlock_all()")


def sent(connection: psycopg.Connection[TupleRow], sql: str) -> tuple[list[Result], Trouble | None]:
    """All answers to several statements up to the first error, and that error."""
    raw = connection.pgconn
    raw.send_query(sql.encode())
    results: list[Result] = []
    trouble = None
    while (found := raw.get_result()) is not None:
        status = found.status
        if status == pq.ExecStatus.COPY_OUT:
            results.append(Result("COPY", ("copied",), _copied(raw)))
        elif status == pq.ExecStatus.COPY_IN:
            raw.put_copy_end(b"no rows are sent")
        elif status == pq.ExecStatus.TUPLES_OK:
            width = range(found.nfields)
            rows = tuple(tuple(_text(found.get_value(i, j)) for j in width) for i in range(found.ntuples))
            columns = tuple((found.fname(j) or b"").decode() for j in width)
            results.append(Result((found.command_status or b"").decode(), columns, rows))
        elif status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
            results.append(Result((found.command_status or b"").decode()))
        else:
            trouble = _trouble(found)
    return results, trouble


def _copied(raw: pq.abc.PGconn) -> tuple[tuple[str | None, ...], ...]:
    rows: list[tuple[str | None, ...]] = []
    while True:
        size, data = raw.get_copy_data(0)
        if size <= 0:
            return tuple(rows)
        rows.append((bytes(data).decode().rstrip("\n"),))


def _trouble(found: pq.abc.PGresult) -> Trouble:
    def part(name: pq.DiagnosticField) -> str:
        return (found.error_field(name) or b"").decode()

    return Trouble(
        part(pq.DiagnosticField.SQLSTATE),
        part(pq.DiagnosticField.MESSAGE_PRIMARY),
        part(pq.DiagnosticField.MESSAGE_DETAIL),
        part(pq.DiagnosticField.MESSAGE_HINT),
        part(pq.DiagnosticField.CONTEXT),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
