"""One declared statement at a time on one connection: savepoint, role, settings, and the exact place of an error.

Promises that a statement which fails leaves nothing behind, and that no setting of one file reaches another. Never
decides what to do about a failure.
"""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow

from reconciler.declare import DeclaredStatement
from reconciler.errors import Waiting
from reconciler.pg import ident, literal
from reconciler.shadow import nature
from reconciler.shadow.nature import Setting
from reconciler.shadow.rejected import Failure, failed

Connection = psycopg.Connection[TupleRow]

_COMMIT_AFTER = 1_000
"""Every object locks until the commit; the lock table of a foreign server may be small (manual: max_locks_per_transaction)."""


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
        denied = failure is not None and failure.code == "42501"
        if denied and self._role is not None and nature.needs_superuser(sql):
            failure = self._try_as_superuser(statement, sql, self._role)
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
            return failed(statement, error)
        self._run("release reconciler_load; savepoint reconciler_load")
        return None

    def _try_as_superuser(self, statement: DeclaredStatement, sql: str, role: str) -> Failure | None:
        """Runs it as `role` while that is a superuser, so that what it makes belongs to `role` like all the rest.

        The promotion is never committed, so no other session sees it, and a failure takes it back.
        """
        self._run(f"set local role none; alter role {ident(role)} superuser; set local role {ident(role)}")
        failure = self._try(statement, sql)
        if failure is None:
            self._run(
                f"set local role none; alter role {ident(role)} nosuperuser; set local role {ident(role)}"
            )
            self._run("release reconciler_load; savepoint reconciler_load")
        return failure

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
                return failed(statement, error)
        return None

    def check_setting(self, statement: DeclaredStatement, setting: Setting) -> Failure | None:
        """Whether this setting can be made at all on this server."""
        try:
            self._run(setting.sql)
        except psycopg.Error as error:
            self._run("rollback to reconciler_load")
            return failed(statement, error)
        self._run("rollback to reconciler_load")
        return None
