"""One declared statement at a time on one connection: savepoint, role, settings, and the exact place of an error.

Promises that a statement which fails leaves nothing behind, and that no setting of one file reaches another. Never
decides what to do about a failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from reconciler.declare import DeclaredStatement
from reconciler.errors import Source, Stalled, Waiting
from reconciler.pg import ident, literal
from reconciler.shadow import nature
from reconciler.shadow.nature import Setting

Connection = psycopg.Connection[TupleRow]

_COMMIT_AFTER = 1_000
"""Every object locks until the commit; the lock table of a foreign server may be small (manual: max_locks_per_transaction)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one statement did not run, in PostgreSQL's words, and the exact line of it."""

    statement: DeclaredStatement
    source: Source
    code: str
    message: str
    detail: str = ""
    hint: str = ""


class Session:
    """The connection, and what is set on it at the moment."""

    def __init__(self, connection: Connection, role: str | None, statement_timeout: str) -> None:
        self._connection = connection
        self._role = role
        self._timeout = statement_timeout
        self._applied: tuple[Setting, ...] = ()
        self._defaults: dict[str, str] = {}
        self._since_commit = 0
        self._may_commit = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        self._as_superuser = False

    def begin(self) -> None:
        """Opens the transaction, if nobody has, and makes it ours."""
        self._begin()
        self._savepoint()

    def end(self) -> None:
        """Puts the settings back and, if the transaction is ours, commits it."""
        self._run("release reconciler_load")
        self._restore()
        if self._role is not None:
            self._run("set local role none")
        if self._may_commit:
            self._run("commit")

    def abandon(self) -> None:
        """Takes back what is not committed yet."""
        if self._connection.closed:
            return
        self._run("rollback" if self._may_commit else "rollback to reconciler_load")

    def attempt(self, statement: DeclaredStatement, settings: tuple[Setting, ...]) -> Failure | None:
        """Runs it as the file would have: None when it worked, otherwise why not, with nothing changed."""
        self._settle(settings)
        sql = nature.plain(statement.sql)
        failure = self._try(statement, sql)
        if (
            failure is not None
            and failure.code == "42501"
            and self._role is not None
            and nature.needs_superuser(sql)
        ):
            self._become(superuser=True)
            failure = self._try(statement, sql)
            self._become(superuser=False)
        if failure is not None and failure.code == "55P04" and self._may_commit:
            self._commit()  # a new value of an enum can be used once it is committed (manual: ALTER TYPE)
            self._settle(settings)
            failure = self._try(statement, sql)
        if failure is not None and failure.code == "42710" and nature.creates_role(sql):
            return None  # roles belong to the server: another scratch database has made it already
        if failure is None:
            self._since_commit += 1
        return failure

    def pause(self) -> None:
        """A place where nothing is half done: commits when many locks have gathered."""
        if self._may_commit and self._since_commit >= _COMMIT_AFTER:
            self._commit()

    def _commit(self) -> None:
        self._run("commit")
        self._applied, self._since_commit = (), 0
        self.begin()

    def value(self, sql: str, *parameters: str | int) -> list[tuple[object, ...]]:
        """Rows of a query of our own."""
        return [tuple(row) for row in self._connection.execute(sql.encode(), parameters).fetchall()]

    def _begin(self) -> None:
        if self._may_commit and self._connection.autocommit:
            self._run("begin")
        settings = {
            "statement_timeout": self._timeout,
            "client_min_messages": "error",
            "search_path": '"$user", public',
        }
        for name, value in settings.items():
            self._run(f"select pg_catalog.set_config('{name}', {literal(value)}, true)")
        if self._role is not None:
            self._run(f"set local role {ident(self._role)}")

    def _savepoint(self) -> None:
        self._run("savepoint reconciler_load")

    def _try(self, statement: DeclaredStatement, sql: str) -> Failure | None:
        try:
            if statement.data is None:
                self._connection.execute(sql.encode())
            else:
                with self._connection.cursor().copy(sql.encode()) as copy:
                    copy.write(statement.data)
        except psycopg.Error as error:
            if self._connection.closed:
                raise Waiting(
                    "the scratch server ended the session while this statement ran",
                    hint="if it happens again, this statement brings the server down",
                    sources=(statement.source,),
                ) from error
            self._run("rollback to reconciler_load")
            return _failure(statement, error)
        self._run("release reconciler_load; savepoint reconciler_load")
        return None

    def _become(self, *, superuser: bool) -> None:
        if self._role is not None and self._as_superuser != superuser:
            self._run("set local role none" if superuser else f"set local role {ident(self._role)}")
            self._as_superuser = superuser

    def _settle(self, wanted: tuple[Setting, ...]) -> None:
        """Makes the settings those of the file, at the point where its next statement stands."""
        if wanted == self._applied:
            return
        done = len(self._applied)
        if wanted[:done] != self._applied:
            self._restore()
            done = 0
        for setting in wanted[done:]:
            if setting.name not in self._defaults:
                found = self.value("select pg_catalog.current_setting(%s, true)", setting.name)
                self._defaults[setting.name] = str(found[0][0] or "")
            self._run(setting.sql)
        self._run("release reconciler_load; savepoint reconciler_load")
        self._applied = wanted

    def _restore(self) -> None:
        for name in dict.fromkeys(setting.name for setting in self._applied):
            self.value("select pg_catalog.set_config(%s, %s, true)", name, self._defaults[name])
        self._applied = ()

    def _run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def validated(
        self, statement: DeclaredStatement, settings: tuple[Setting, ...], name: str
    ) -> Failure | None:
        """Reads the body of a function that was created unread; `name` is as its statement writes it."""
        self._settle(settings)
        rows = self.value(
            "select p.oid, l.lanvalidator::pg_catalog.regproc::text from pg_catalog.pg_proc as p"
            " join pg_catalog.pg_language as l on l.oid = p.prolang"
            " join pg_catalog.pg_namespace as n on n.oid = p.pronamespace,"
            " pg_catalog.parse_ident(%s) as i(parts)"
            " where p.proname = i.parts[pg_catalog.cardinality(i.parts)] and l.lanvalidator <> 0"
            " and n.nspname = coalesce(i.parts[pg_catalog.cardinality(i.parts) - 1], pg_catalog.current_schema())"
            " order by p.oid",
            name,
        )
        for oid, validator in rows:
            try:
                self._run(f"select {validator}({oid})")
            except psycopg.Error as error:
                self._run("rollback to reconciler_load")
                return _failure(statement, error)
        return None

    def check_setting(self, statement: DeclaredStatement, setting: Setting) -> Failure | None:
        """Whether this setting can be made at all on this server."""
        try:
            self._run(setting.sql)
        except psycopg.Error as error:
            self._run("rollback to reconciler_load")
            return _failure(statement, error)
        self._run("rollback to reconciler_load")
        return None


def _failure(statement: DeclaredStatement, error: psycopg.Error) -> Failure:
    diag = error.diag
    return Failure(
        statement,
        _place(statement, diag),
        error.sqlstate or "",
        diag.message_primary or str(error).strip() or type(error).__name__,
        diag.message_detail or "",
        diag.message_hint or "",
    )


def _place(statement: DeclaredStatement, diag: psycopg.errors.Diagnostic) -> Source:
    """The line that PostgreSQL points to: in the statement, in the body it quotes, or in a DO block by its line."""
    if diag.statement_position:
        return statement.at(int(diag.statement_position) - 1)
    if diag.internal_query and diag.internal_position:
        start = statement.sql.find(diag.internal_query)
        if start >= 0:
            return statement.at(start + int(diag.internal_position) - 1)
    block = re.search(r"inline_code_block\D*(\d+)", diag.context or "")
    if block and statement.sql[:2].lower() == "do":
        body = statement.sql.find("$")
        newline = statement.sql.find("$", body + 1) + 1
        below = statement.sql[:newline].count("\n") + int(block.group(1)) - 1
        lines = statement.sql.split("\n")
        return statement.at(sum(len(line) + 1 for line in lines[:below]))
    return statement.source


def refusal(failures: list[Failure], role: str | None) -> Stalled:
    """All failures as one error: each with its line and PostgreSQL's own words."""
    blamed = _causes(failures)
    shown = [(failure, _words(failure, role)) for failure in blamed]
    first, *rest = shown
    what = first[1] + "".join(f"\n{failure.source}: {words}" for failure, words in rest)
    waiting = [failure.source for failure in failures if failure not in blamed]
    return Stalled(what, hint=_advice(blamed, role), sources=(first[0].source, *waiting))


_MISSING = frozenset({"42P01", "42883", "42704", "42703", "3F000"})


def _causes(failures: list[Failure]) -> list[Failure]:
    """Those that do not merely wait for an object whose own statement fails."""
    made: dict[str, Failure] = {}
    for failure in failures:
        made.setdefault(nature.made(failure.statement.sql), failure)
    made.pop("", None)
    causes = []
    for failure in failures:
        words = re.findall(r"\w+", failure.message.lower())
        follows = any(made.get(word, failure) is not failure for word in words)
        if failure.code not in _MISSING or not follows:
            causes.append(failure)
    return causes or failures


def _words(failure: Failure, role: str | None) -> str:
    text = failure.message
    text += f"\n    {failure.detail}" if failure.detail else ""
    text += f"\n    PostgreSQL suggests: {failure.hint}" if failure.hint else ""
    return text


def _advice(failures: list[Failure], role: str | None) -> str:
    for failure in failures:
        sql, code = failure.statement.sql, failure.code
        extension = re.match(r'create\s+extension\s+(?:if\s+not\s+exists\s+)?"?([\w-]+)', sql, re.IGNORECASE)
        if extension and code in ("0A000", "58P01", "22023"):
            return (
                f"the scratch server has no extension {extension.group(1)}: install it there, or name a server that has"
                " it with --shadow URL"
            )
        if code == "42501" and role is None and nature.needs_superuser(sql):
            return (
                f"{nature.needs_superuser(sql)} need a superuser: read the statement, then set trust: reviewed"
                " to let it run on the scratch server"
            )
        if code == "57014":
            return "a declaration describes structure; move what takes this long into a migration"
        if code == "53200":
            return "raise max_locks_per_transaction on the scratch server (1024 is enough for thousands of tables)"
        if code == "42704" and re.search(r"\brole\b", failure.message):
            return (
                "roles belong to the server: create it there, or say platform: supabase for Supabase's roles"
            )
        if code == "25001":
            return "leave this statement out of the declarations: it acts on data or on the server, not on the schema"
    return ""
