"""Executes one step, whole or not at all, with bounded waiting: the same code in a rehearsal and on live.

Knows transactions, timeouts and which failures pass by themselves. Promises that after an error a
transactional step has left nothing behind, and that whoever reads the error learns what stands and who was
in the way. Never decides what to run, and never writes a history of its own: the caller's functions do,
inside the transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from reconciler.errors import OutcomeUnknown, Stalled, Waiting
from reconciler.model import Measured, Statement, Step
from reconciler.pg import pooling
from reconciler.run import trouble
from reconciler.run.holders import Lookout
from reconciler.run.invalid import drop_invalid
from reconciler.run.measure import measured
from reconciler.run.nature import ConcurrentBuild, concurrent_build, waits_without_blocking
from reconciler.run.pace import Pace
from reconciler.run.peak import watching
from reconciler.run.placeholders import withheld
from reconciler.run.trouble import Verdict

Connection = psycopg.Connection[TupleRow]
Hook = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A statement that ran. `seconds` is wall-clock, `attempt` counts from 1, `measured` is None unless
    asked; `waited` is for how many of the seconds it, and its tries before, were seen waiting for locks.
    """

    seconds: float
    attempt: int = 1
    measured: Measured | None = None
    waited: float = 0.0


def run_step(
    connection: Connection,
    step: Step,
    *,
    lock_timeout: str = "2s",
    statement_timeout: str = "20min",
    on_statement: Callable[[Statement, Outcome], None] | None = None,
    at_begin: Hook | None = None,
    within: Hook | None = None,
    before_commit: Hook | None = None,
    on_retry: Callable[[Waiting, float], None] | None = None,
    side: Callable[[], Connection] | None = None,
    resolve: Callable[[str], str] | None = None,
    measure: bool = False,
    pace: Pace | None = None,
) -> tuple[Outcome, ...]:
    """Runs the statements of `step` and commits; one outcome per statement.

    `connection` is idle and in autocommit. In a transactional step the order is: begin, `at_begin`, the
    statements, `before_commit` (may refuse what came out), `within` (say, a row of history), commit. Around a
    statement that cannot run in a transaction, `at_begin` has a transaction of its own before it, and
    `before_commit` with `within` one after it: such a statement must be able to run twice.

    A lock not got within `lock_timeout`, a deadlock and a serialization failure roll everything back and
    are tried again at `pace`; `on_retry(error, pause)` is told before each pause. `side` opens a second
    session that looks who holds the lock. `resolve` turns placeholders of a statement's text into what is
    sent; messages show the placeholders. `measure` also takes a `Measured` of each statement.

    Raises `Waiting` (locked for too long, connection lost before commit, resources), `OutcomeUnknown`
    (connection lost during commit), `Stalled` (PostgreSQL refuses a statement). What a hook raises passes
    through, rolled back.
    """
    if not connection.autocommit or connection.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("run_step needs an idle connection in autocommit")
    pace = pace or Pace()
    pauses = pace.pauses()
    with Lookout(side, pooling.backend(connection)) as lookout:
        attempt = 0
        while True:
            attempt += 1
            work = _Attempt(
                attempt, connection, step, lookout, (lock_timeout, statement_timeout),
                on_statement, at_begin, before_commit, within, resolve, measure, side,
            )  # fmt: skip
            try:
                return work.run()
            except _Failure as failure:
                error = _judged(failure, step, lookout, attempt)
                pause = next(pauses, None) if failure.verdict is Verdict.AGAIN else None
                if pause is None or not isinstance(error, Waiting):
                    raise error from failure.error
                if on_retry is not None:
                    on_retry(error, pause)
            pace.sleep(pause)


class _Failure(Exception):
    """A PostgreSQL error, rolled back, with the place where it happened."""

    def __init__(self, error: psycopg.Error, where: str, lookout: Lookout) -> None:
        super().__init__(str(error))
        self.error, self.where = error, where
        self.verdict = trouble.verdict(error, blocked=lookout.seen is not None)


def _judged(failure: _Failure, step: Step, lookout: Lookout, attempt: int) -> Exception:
    """What the caller gets to see. A hook's own SQL that PostgreSQL refuses is a bug and stays what it is."""
    if failure.verdict is Verdict.PERSON:
        if failure.where == trouble.AROUND:
            return failure.error
        return trouble.failed(failure.error, failure.where, step)
    if failure.verdict is Verdict.LOST:
        if failure.where == trouble.AT_COMMIT:
            return OutcomeUnknown(
                f"the connection to the server was lost during commit of step {step.number}",
                hint="run the same command again: it reads the history and continues from what was committed",
            )
        return trouble.lost(failure.error, failure.where, step)
    return trouble.waiting(
        failure.error, failure.where, step, seen=lookout.seen, blind=lookout.trouble, tries=attempt
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try of one step: the arguments of `run_step`, with `timeouts` as (lock, statement)."""

    number: int
    connection: Connection
    step: Step
    lookout: Lookout
    timeouts: tuple[str, str]
    on_statement: Callable[[Statement, Outcome], None] | None
    at_begin: Hook | None
    before_commit: Hook | None
    within: Hook | None
    resolve: Callable[[str], str] | None
    measure: bool
    side: Callable[[], Connection] | None

    def run(self) -> tuple[Outcome, ...]:
        if self.step.transactional:
            with self._transaction():
                self._call(self.at_begin)
                outcomes = tuple(self._execute(statement) for statement in self.step.statements)
                self._call(self.before_commit, self.within)
            return outcomes
        if self.at_begin is not None:
            with self._transaction():
                self._call(self.at_begin)
        outcomes = tuple(self._execute_alone(statement) for statement in self.step.statements)
        if self.before_commit is not None or self.within is not None:
            with self._transaction():
                self._call(self.before_commit, self.within)
        return outcomes

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """begin … commit; any error rolls back. Tells a loss during COMMIT from one before it."""
        where = trouble.AROUND
        try:
            self.connection.execute("begin isolation level read committed")
            self._set(*self.timeouts, local=True)
            yield
            where = trouble.AT_COMMIT
            with self._watched():
                done = self.connection.execute("commit").statusmessage
            if done != "COMMIT":
                raise Stalled(f"the transaction ended with {done}; {trouble.standing(self.step)}")
        except psycopg.Error as error:
            self._roll_back()
            raise _Failure(error, where, self.lookout) from error
        except BaseException:
            self._roll_back()
            raise

    def _execute(self, statement: Statement) -> Outcome:
        """One statement of the open transaction, under its own timeouts when it has any."""
        lock, limit = self.timeouts
        own = statement.lock_timeout or statement.statement_timeout
        if own:
            self._set(statement.lock_timeout or lock, statement.statement_timeout or limit, local=True)
        sql = self.resolve(statement.sql) if self.resolve else statement.sql
        try:
            with self._watched():
                if self.measure:
                    taken = measured(self.connection, statement, sql=sql)
                    outcome = Outcome(taken.seconds, self.number, taken)
                else:
                    outcome = Outcome(self._send(sql), self.number)
        except psycopg.Error as error:
            raise self._failure(error, statement, sql) from None
        if self.connection.info.transaction_status != TransactionStatus.INTRANS:
            raise Stalled(
                f"a statement ended the transaction it stands in: {trouble.shortened(statement.sql)}",
                hint="take commit, rollback and their like out of it, and see with drift what was committed",
            )
        if own:
            self._set(lock, limit, local=True)
        outcome = replace(outcome, waited=self.lookout.waited())
        if self.on_statement is not None:
            self.on_statement(statement, outcome)
        return outcome

    def _execute_alone(self, statement: Statement) -> Outcome:
        """A statement outside transactions. The rest of a failed concurrent build is removed before and
        after.
        """
        sql = self.resolve(statement.sql) if self.resolve else statement.sql
        build = concurrent_build(sql)
        lock = statement.lock_timeout or ("0" if waits_without_blocking(sql) else self.timeouts[0])
        try:
            with self._session(lock, statement.statement_timeout or self.timeouts[1]), self._watched():
                if build is not None and build.guarded:
                    drop_invalid(self.connection, build)
                try:
                    outcome = self._sent_alone(sql)
                except psycopg.Error as error:
                    ours = error.sqlstate != "42P07"  # else the name was taken before, and not by us
                    if build is not None and ours and not self.connection.closed:
                        self._clear(build, error)
                    raise
        except psycopg.Error as error:
            raise self._failure(error, statement, sql) from None
        outcome = replace(outcome, waited=self.lookout.waited())
        if self.on_statement is not None:
            self.on_statement(statement, outcome)
        return outcome

    def _sent_alone(self, sql: str) -> Outcome:
        if not self.measure:
            return Outcome(self._send(sql), self.number)
        with watching(self.connection, sql, self.side) as seen:
            seconds = self._send(sql)
        return Outcome(seconds, self.number, seen.measured(self.connection, seconds))

    def _failure(self, error: psycopg.Error, statement: Statement, sql: str) -> _Failure:
        """`sql` is what was sent. Where a secret was filled into it, the error says no more than is safe."""
        secret = sql not in (statement.sql, withheld(statement.sql))
        told = trouble.discreet(error) if secret else error
        return _Failure(told, trouble.place(statement), self.lookout)

    def _clear(self, build: ConcurrentBuild, cause: psycopg.Error) -> None:
        """Removes what the failed build left. What cannot be dropped now is dropped before the next build."""
        self._set(*self.timeouts, local=False)
        try:
            drop_invalid(self.connection, build)
        except psycopg.Error as error:
            cause.add_note(
                f"an invalid index {build.index} is left until the next try: {trouble.told(error)}"
            )

    def _send(self, sql: str) -> float:
        began = time.perf_counter()
        self.connection.execute(sql.encode(), prepare=False)
        return time.perf_counter() - began

    def _call(self, *hooks: Hook | None) -> None:
        for hook in hooks:
            if hook is not None:
                hook(self.connection)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self.lookout.watch()
        try:
            yield
        finally:
            self.lookout.rest()

    @contextmanager
    def _session(self, lock: str, statement: str) -> Iterator[None]:
        """The two timeouts for statements outside a transaction, put back afterwards."""
        row = self.connection.execute(
            "select pg_catalog.current_setting('lock_timeout'),"
            " pg_catalog.current_setting('statement_timeout')"
        ).fetchone()
        assert row is not None
        self._set(lock, statement, local=False)
        try:
            yield
        finally:
            if not self.connection.closed:
                self._set(row[0], row[1], local=False)

    def _set(self, lock: str, statement: str, *, local: bool) -> None:
        self.connection.execute(
            "select pg_catalog.set_config('lock_timeout', %s, %s),"
            " pg_catalog.set_config('statement_timeout', %s, %s)",
            (lock, local, statement, local),
        )

    def _roll_back(self) -> None:
        if self.connection.closed or self.connection.info.transaction_status == TransactionStatus.IDLE:
            return
        try:
            self.connection.rollback()
        except psycopg.OperationalError:
            # Broken on the way: PostgreSQL rolls back by itself, and the first error tells the reader more.
            self.connection.close()
