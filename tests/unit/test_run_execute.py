"""One step on a real server: atomic, bounded, retried, and telling who was in the way."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from reconciler.errors import Stalled, Waiting
from reconciler.model import Statement, Step
from reconciler.pg import Url, connect
from reconciler.run import Outcome, Pace, run_step

Database = Callable[..., Url]
IMPATIENT = Pace(attempts=3, first=0.01, longest=0.02)


def step(*sql: str, number: int = 1, transactional: bool = True, lock_timeout: str = "") -> Step:
    return Step(
        number,
        tuple(
            Statement(text, "test", transactional=transactional, lock_timeout=lock_timeout) for text in sql
        ),
    )


def value(connection: psycopg.Connection, sql: str) -> object:
    row = connection.execute(sql.encode()).fetchone()
    return row[0] if row else None


def test_a_step_takes_effect_whole_and_reports_each_statement(connection: psycopg.Connection) -> None:
    seen: list[tuple[str, int]] = []

    def on_statement(statement: Statement, outcome: Outcome) -> None:
        seen.append((statement.sql, outcome.attempt))

    one, two = "create table public.t (a int)", "insert into public.t values (1)"
    outcomes = run_step(connection, step(one, two), on_statement=on_statement)

    assert seen == [(one, 1), (two, 1)]
    assert all(outcome.seconds > 0 for outcome in outcomes)
    assert value(connection, "select count(*) from public.t") == 1


def test_an_error_leaves_nothing_and_tells_everything(connection: psycopg.Connection) -> None:
    broken = step("create table public.t (a int unique)", "insert into public.t values (7), (7)", number=3)
    with pytest.raises(Stalled) as caught:
        run_step(connection, broken)
    text = str(caught.value)
    assert "duplicate key value" in text
    assert "Key (a)=(7) already exists" in text
    assert "insert into public.t values (7), (7)" in text
    assert "everything in this step was rolled back" in text
    assert "steps 1 to 2 stand" in text
    assert value(connection, "select to_regclass('public.t')") is None


def test_postgresqls_own_hint_is_the_hint(connection: psycopg.Connection) -> None:
    raising = "do $$ begin raise exception 'no' using hint = 'turn left'; end $$"
    with pytest.raises(Stalled) as caught:
        run_step(connection, step(raising))
    assert caught.value.hint == "turn left"


def test_percent_signs_and_several_commands_are_sent_as_they_are(connection: psycopg.Connection) -> None:
    run_step(connection, step("create table public.t (a text); insert into public.t values ('100%s %')"))
    assert value(connection, "select a from public.t") == "100%s %"


def test_timeouts_apply_inside_and_are_gone_afterwards(connection: psycopg.Connection) -> None:
    connection.execute("create table public.seen (n int, lock_timeout text, statement_timeout text)")
    note = (
        "insert into public.seen select {}, current_setting('lock_timeout'),"
        " current_setting('statement_timeout')"
    )
    own = Step(
        1,
        (
            Statement(note.format(1), "", lock_timeout="7s"),
            Statement(note.format(2), ""),
        ),
    )
    run_step(connection, own, lock_timeout="3s", statement_timeout="5min")
    run_step(connection, step(note.format(3), transactional=False), lock_timeout="4s")
    rows = connection.execute("select * from public.seen order by n").fetchall()
    assert rows == [(1, "7s", "5min"), (2, "3s", "5min"), (3, "4s", "20min")]
    assert value(connection, "show lock_timeout") == "0"
    assert value(connection, "show statement_timeout") == "0"


def test_hooks_run_in_the_transaction_in_order(connection: psycopg.Connection) -> None:
    calls: list[tuple[str, object]] = []

    def hook(name: str) -> Callable[[psycopg.Connection], None]:
        return lambda c: calls.append((name, value(c, "select to_regclass('public.t')::text")))

    run_step(
        connection,
        step("create table public.t (a int)"),
        at_begin=hook("begin"),
        before_commit=hook("confirm"),
        within=hook("record"),
    )
    assert calls == [("begin", None), ("confirm", "t"), ("record", "t")]


@pytest.mark.parametrize("moment", ["at_begin", "before_commit", "within"])
def test_a_hook_that_refuses_rolls_everything_back(connection: psycopg.Connection, moment: str) -> None:
    def refuse(_: psycopg.Connection) -> None:
        raise Stalled("not as planned")

    hooks = {"at_begin": None, "before_commit": None, "within": None, moment: refuse}
    with pytest.raises(Stalled, match="not as planned"):
        run_step(
            connection,
            step("create table public.t (a int)"),
            at_begin=hooks["at_begin"],
            before_commit=hooks["before_commit"],
            within=hooks["within"],
        )
    assert value(connection, "select to_regclass('public.t')") is None
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_statement_outside_a_transaction_is_recorded_after_it(connection: psycopg.Connection) -> None:
    connection.execute("create table public.t (a int)")
    seen: list[object] = []
    build = step("create index concurrently if not exists i on public.t (a)", transactional=False)
    run_step(
        connection, build, within=lambda c: seen.append(value(c, "select to_regclass('public.i')::text"))
    )
    assert seen == ["i"]


def test_a_lock_names_its_holder_and_success_follows_release(database: Database) -> None:
    url = database()
    alter = step("create table public.fresh (a int)", "alter table public.t add column b int")
    with connect(url) as ours, connect(url, application_name="nightly report", autocommit=False) as other:
        ours.execute("create table public.t (a int)")
        other.execute("select * from public.t")
        pauses: list[float] = []
        with pytest.raises(Waiting) as caught:
            run_step(
                ours, alter, lock_timeout="400ms", pace=IMPATIENT, side=lambda: connect(url),
                on_retry=lambda error, pause: pauses.append(pause),
            )  # fmt: skip
        text = str(caught.value)
        assert "public.t is held by" in text
        assert f"pid {other.info.backend_pid} (user {url.user}" in text
        assert 'application "nightly report", idle in transaction, since 2' in text
        assert f"pg_terminate_backend({other.info.backend_pid})" in text
        assert "after 3 tries" in text
        assert len(pauses) == 2
        assert value(ours, "select to_regclass('public.fresh')") is None

        other.rollback()
        run_step(ours, alter, lock_timeout="400ms", pace=IMPATIENT)
        assert value(ours, "select to_regclass('public.fresh')::text") == "fresh"


def test_without_a_second_session_the_wait_is_still_told(database: Database) -> None:
    url = database()
    with connect(url) as ours, connect(url, autocommit=False) as other:
        ours.execute("create table public.t (a int)")
        other.execute("lock table public.t")
        with pytest.raises(Waiting, match="no second session to look from"):
            run_step(ours, step("drop table public.t"), lock_timeout="10ms", pace=Pace(attempts=1))
        with pytest.raises(Waiting, match=r"not known \(.*closed"):
            run_step(
                ours,
                step("drop table public.t"),
                lock_timeout="400ms",
                pace=Pace(attempts=1),
                side=_unreachable,
            )


def _unreachable() -> psycopg.Connection:
    raise Waiting("closed today")


def test_a_lock_released_between_two_tries_is_taken(database: Database) -> None:
    url = database()
    with connect(url) as ours, connect(url, autocommit=False) as other:
        ours.execute("create table public.t (a int)")
        other.execute("lock table public.t")
        outcomes = run_step(
            ours,
            step("drop table public.t"),
            lock_timeout="50ms",
            pace=Pace(sleep=lambda _: other.rollback()),
        )
    assert outcomes[0].attempt == 2


def test_how_long_it_waited_is_told_over_all_tries(database: Database) -> None:
    url = database()
    with connect(url) as ours, connect(url, autocommit=False) as other:
        ours.execute("create table public.t (a int)")
        other.execute("lock table public.t")
        (dropped,) = run_step(
            ours, step("drop table public.t"), lock_timeout="500ms", pace=Pace(sleep=lambda _: other.rollback()), side=lambda: connect(url),
        )  # fmt: skip
        (made,) = run_step(ours, step("create table public.t (a int)"), side=lambda: connect(url))
    assert dropped.attempt == 2 and dropped.waited > 0.1 and dropped.seconds < dropped.waited
    assert made.waited == 0


def test_a_deadlock_is_tried_again(database: Database) -> None:
    url = database()
    with connect(url) as ours, connect(url, autocommit=False) as other:
        ours.execute("create table public.a (n int); create table public.b (n int)")
        ours.execute("set deadlock_timeout = '50ms'")
        other.execute("set deadlock_timeout = '1h'")
        other.execute("lock table public.b in access exclusive mode")
        locked = threading.Event()

        def cross() -> None:
            locked.wait()
            other.execute("lock table public.a in access exclusive mode")
            other.rollback()

        thread = threading.Thread(target=cross)
        thread.start()
        ordered = step(
            "alter table public.a add x int", "select pg_sleep(0.1)", "alter table public.b add x int"
        )
        outcomes = run_step(ours, ordered, lock_timeout="10s", on_statement=lambda *_: locked.set())
        thread.join()
    assert outcomes[0].attempt > 1


def test_a_statement_timeout_needs_a_person(connection: psycopg.Connection) -> None:
    with pytest.raises(Stalled, match="statement timeout") as caught:
        run_step(connection, step("select pg_sleep(10)"), statement_timeout="50ms")
    assert "statement_timeout" in caught.value.hint


def test_a_killed_session_is_waited_for(database: Database) -> None:
    url = database()
    with connect(url) as ours:
        suicide = step("create table public.t ()", "select pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(Waiting, match="connection to the server was lost"):
            run_step(ours, suicide)
    with connect(url) as again:
        assert value(again, "select to_regclass('public.t')") is None


def test_a_deferred_constraint_fails_at_commit(connection: psycopg.Connection) -> None:
    connection.execute("create table public.t (a int unique deferrable initially deferred)")
    with pytest.raises(Stalled, match="at commit"):
        run_step(connection, step("insert into public.t values (1), (1)"))
    assert value(connection, "select count(*) from public.t") == 0


def test_a_statement_that_ends_the_transaction_is_noticed(connection: psycopg.Connection) -> None:
    with pytest.raises(Stalled, match="ended the transaction"):
        run_step(connection, step("commit", "create table public.t ()"))
    assert value(connection, "select to_regclass('public.t')") is None


def test_placeholders_are_resolved_and_never_shown(connection: psycopg.Connection) -> None:
    secret = step("select 1/0, '${PASSWORD}'")
    with pytest.raises(Stalled) as caught:
        run_step(connection, secret, resolve=lambda sql: sql.replace("${PASSWORD}", "hush"))
    assert "${PASSWORD}" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_busy_connection_is_refused(connection: psycopg.Connection) -> None:
    with connection.transaction(), pytest.raises(ValueError, match="idle"):
        run_step(connection, step("select 1"))


class TestInvalidIndexes:
    BUILD = step(
        'create unique index concurrently if not exists "I x" on "S".t (a)', number=2, transactional=False
    )
    STATE = """select i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
                where c.relname = 'I x'"""

    @pytest.fixture
    def table(self, connection: psycopg.Connection) -> psycopg.Connection:
        connection.execute('create schema "S"; create table "S".t (a int); insert into "S".t values (1), (1)')
        return connection

    def test_a_failed_build_leaves_no_invalid_index(self, table: psycopg.Connection) -> None:
        with pytest.raises(Stalled, match="could not create unique index"):
            run_step(table, self.BUILD)
        assert value(table, self.STATE) is None

    def test_an_unguarded_build_clears_only_what_it_made(self, table: psycopg.Connection) -> None:
        unguarded = step('create unique index concurrently "I x" on "S".t (a)', transactional=False)
        with pytest.raises(Stalled, match="could not create unique index"):
            run_step(table, unguarded)
        assert value(table, self.STATE) is None
        with pytest.raises(psycopg.errors.UniqueViolation):
            table.execute('create unique index concurrently "I x" on "S".t (a)')
        with pytest.raises(Stalled, match="already exists"):
            run_step(table, unguarded)
        assert value(table, self.STATE) is False

    def test_an_index_left_invalid_by_a_crash_is_built_anew(self, table: psycopg.Connection) -> None:
        with pytest.raises(psycopg.errors.UniqueViolation):
            table.execute('create unique index concurrently "I x" on "S".t (a)')
        assert value(table, self.STATE) is False
        table.execute('truncate "S".t')
        run_step(table, self.BUILD)
        assert value(table, self.STATE) is True

    def test_a_valid_index_is_left_alone(self, table: psycopg.Connection) -> None:
        table.execute('truncate "S".t; create unique index "I x" on "S".t (a)')
        before = value(table, "select oid from pg_class where relname = 'I x'")
        run_step(table, self.BUILD)
        assert value(table, "select oid from pg_class where relname = 'I x'") == before

    def test_a_build_blocked_until_its_timeout_names_the_blocker(self, database: Database) -> None:
        url = database()
        with connect(url) as ours, connect(url, autocommit=False) as other:
            ours.execute("create table public.t (a int)")
            other.execute("insert into public.t values (1)")
            build = step("create index concurrently if not exists i on public.t (a)", transactional=False)
            with pytest.raises(Waiting, match=f"pid {other.info.backend_pid}"):
                run_step(ours, build, statement_timeout="500ms", side=lambda: connect(url))
            other.rollback()
            run_step(ours, build)
            assert (
                value(ours, "select indisvalid from pg_index where indexrelid = 'public.i'::regclass") is True
            )
