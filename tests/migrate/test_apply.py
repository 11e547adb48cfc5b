"""Applying and taking back, on a real server: what the database and its history say afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from applying import QUICK, Proxy, migration, value

from reconciler.errors import OutcomeUnknown, Stalled, Waiting
from reconciler.migrate import (
    Progress,
    apply,
    ensure,
    latest,
    owned,
    pending,
    read,
    restored,
    rollback,
    state_of,
)
from reconciler.model import Applied, Change, ObjectId, Statement
from reconciler.pg import Url, connect

THREE_STEPS = (
    "create table if not exists public.t (a int)",
    "|create index concurrently if not exists i on public.t (a)",
    "comment on table public.t is 'done'",
)
DOWN = ("drop table if exists public.t",)


def history(url: Url) -> tuple[Applied, ...]:
    with connect(url) as session:
        return read(session)


def standing(url: Url) -> list[tuple[str, str, int, int]]:
    return [(row.version[-2:], state_of(row), row.steps_done, row.steps) for row in history(url)]


def test_a_migration_is_applied_and_recorded_in_one_transaction(url: Url) -> None:
    made = migration(["create table public.t (a int)", "insert into public.t values (1)"], DOWN)
    seen: list[tuple[int, object]] = []
    row = apply(
        url,
        made,
        confirm=lambda c: seen.append((1, c.execute("select to_regclass('public.t')::text").fetchone()[0])),  # type: ignore[index]
        client="ada@laptop",
    )
    assert row == history(url)[0]
    assert (row.version, row.checksum, row.direction, row.steps_done, row.steps) == (
        made.version, made.checksum, "up", 1, 1,
    )  # fmt: skip
    assert row.applied_by == f"{url.user} (ada@laptop)"
    assert row.finished_at >= row.started_at > "2020"
    assert (row.before, row.after) == ("b", "a")
    assert restored(row) == replace(made, header=())
    assert seen == [(1, "t")]
    # the row and the table have the same xmin: one transaction wrote both
    assert value(
        url,
        "select (select xmin from reconciler.migrations) = (select xmin from pg_class where relname = 't')",
    )


def test_every_step_is_recorded_and_told(url: Url) -> None:
    told: list[Progress] = []
    made = migration(THREE_STEPS, DOWN)
    apply(url, made, on_progress=told.append)
    assert standing(url) == [("00", "applied", 3, 3)]
    assert [(one.step, one.steps, one.number, one.total) for one in told] == [
        (1, 3, 1, 3), (2, 3, 2, 3), (3, 3, 3, 3),
    ]  # fmt: skip
    rollback(url, made)
    assert standing(url) == [("00", "applied", 3, 3), ("00", "rolled back", 1, 1)]
    assert value(url, "select to_regclass('public.t')") is None


def test_applying_twice_changes_nothing(url: Url) -> None:
    made = migration(["create table public.t (a int)"], DOWN)
    assert apply(url, made) == apply(url, made)
    assert rollback(url, made) == rollback(url, made)
    assert len(history(url)) == 2
    apply(url, made)
    assert [state for _, state, *_ in standing(url)] == ["applied", "rolled back", "applied"]


def test_a_failure_leaves_no_trace(url: Url) -> None:
    with pytest.raises(Stalled, match="division by zero"):
        apply(url, migration(["create table public.t (a int)", "select 1/0"]))
    assert history(url) == ()
    assert value(url, "select to_regclass('public.t')") is None


def test_a_failure_behind_recorded_steps_is_gone_on_from(url: Url) -> None:
    made = migration([*THREE_STEPS[:2], "insert into public.t select 1/count(*) from public.t"], DOWN)
    with pytest.raises(Stalled, match="steps 1 to 2 stand"):
        apply(url, made)
    assert standing(url) == [("00", "partly applied", 2, 3)]
    assert history(url)[0].finished_at == ""
    ran: list[int] = []
    corrected = migration([*THREE_STEPS[:2], "insert into public.t values (7)", "|vacuum public.t"], DOWN)
    row = apply(url, corrected, on_progress=lambda progress: ran.append(progress.step))
    assert ran == [3, 4]
    assert standing(url) == [("00", "applied", 4, 4)]
    assert row.checksum == corrected.checksum
    assert restored(row).checksum == corrected.checksum


def test_applied_steps_of_a_half_applied_file_may_not_be_edited(url: Url) -> None:
    with pytest.raises(Stalled):
        apply(url, migration([*THREE_STEPS[:2], "select 1/0"], DOWN))
    with pytest.raises(Stalled, match="edited in a step that is already applied"):
        apply(url, migration(["create table if not exists public.u (a int)", *THREE_STEPS[1:]], DOWN))


def test_a_half_applied_migration_can_be_rolled_back(url: Url) -> None:
    made = migration([*THREE_STEPS[:2], "select 1/0"], DOWN)
    with pytest.raises(Stalled):
        apply(url, made)
    rollback(url, made)
    assert [(state, done) for _, state, done, _ in standing(url)] == [
        ("partly applied", 2),
        ("rolled back", 1),
    ]
    assert value(url, "select to_regclass('public.t')") is None
    assert value(url, "select count(*) from reconciler.migrations where finished_at is null") == 0


def test_session_settings_of_steps_that_stand_still_count(url: Url) -> None:
    broken = ["create schema if not exists app", "set search_path = app", "|vacuum", "create table t (a int)"]
    with pytest.raises(Stalled):
        apply(url, migration([*broken, "select 1/0"]))
    apply(url, migration(broken))
    assert value(url, "select to_regclass('app.t')::text") == "app.t"


def test_the_history_is_written_by_the_applier_whatever_role_a_statement_took(url: Url) -> None:
    apply(url, migration(["set local role pg_read_all_data", "select 1"]))
    assert [state for _, state, *_ in standing(url)] == ["applied"]


def test_an_edited_file_is_refused(url: Url) -> None:
    made = migration(["create table public.t (a int)"], DOWN)
    apply(url, made)
    other = migration(["create table public.t (a bigint)"], DOWN)
    for run in (apply, rollback):
        with pytest.raises(
            Stalled, match=r"20261123040000_test\.sql was edited after it was applied"
        ) as caught:
            run(url, other)
        assert "reconciler show 20261123040000" in caught.value.hint
    rollback(url, restored(history(url)[0]))
    apply(url, other)


def test_an_older_version_waits_for_a_decision(url: Url) -> None:
    newer, older = migration(["select 1"], version="20261123050000"), migration(["select 2"])
    apply(url, newer)
    with pytest.raises(Stalled, match="is older than 20261123050000") as caught:
        apply(url, older)
    assert "reconciler apply 20261123040000" in caught.value.hint
    apply(url, older, out_of_order=True)
    with pytest.raises(Stalled, match="applied on top"):
        rollback(url, older)
    rollback(url, newer)
    rollback(url, older)


def test_another_half_applied_version_comes_first(url: Url) -> None:
    half = migration(["create table if not exists public.t ()", "|select 1/0"], DOWN)
    with pytest.raises(Stalled):
        apply(url, half)
    with pytest.raises(Stalled, match="20261123040000 is partly applied"):
        apply(url, migration(["select 1"], version="20261123050000"))


def test_what_was_never_applied_or_has_no_down_is_not_rolled_back(url: Url) -> None:
    forever = migration(["drop table if exists public.t"], [])
    with pytest.raises(Stalled, match="never applied"):
        rollback(url, forever)
    apply(url, forever)
    with pytest.raises(Stalled, match="cannot be rolled back"):
        rollback(url, forever)


def test_a_stale_plan_and_a_lost_lease_stop_before_the_first_statement(url: Url) -> None:
    def stale(inside: psycopg.Connection) -> None:
        assert inside.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        raise Waiting("stale plan")

    for hook in ({"expected_before": stale}, {"fence": stale}):
        for up in (["create table public.t ()"], ["|create table public.t ()"]):
            with pytest.raises(Waiting, match="stale plan"):
                apply(url, migration(up), **hook)  # type: ignore[misc]
    assert value(url, "select to_regclass('public.t')") is None
    assert history(url) == ()


def test_what_did_not_come_out_as_planned_is_not_committed(url: Url) -> None:
    def refuse(_: psycopg.Connection) -> None:
        raise Stalled("public.t is not as planned")

    with pytest.raises(Stalled, match="not as planned"):
        apply(url, migration(["create table public.t ()"]), confirm=refuse)
    assert value(url, "select to_regclass('public.t')") is None
    assert history(url) == ()


def test_two_appliers_at_once_apply_once(url: Url) -> None:
    made = migration(
        ["create table public.t (a int)", "select pg_sleep(0.3)", "insert into public.t values (1)"]
    )
    rows: list[Applied] = []
    threads = [threading.Thread(target=lambda: rows.append(apply(url, made))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows) == 4
    assert len(set(rows)) == 1
    assert value(url, "select count(*) from public.t") == 1


def test_an_applier_that_does_not_wait_names_the_other(url: Url) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_: psycopg.Connection) -> None:
        held.set()
        release.wait()

    thread = threading.Thread(target=lambda: apply(url, migration(["select 1"]), confirm=hold))
    thread.start()
    held.wait()
    with pytest.raises(Waiting, match=r'another applier .* pid \d+ .*application "reconciler apply"'):
        apply(url, migration(["select 1"]), wait=0)
    release.set()
    thread.join()


def test_a_blocked_applier_names_the_holder_and_succeeds_after_its_end(url: Url) -> None:
    made = migration(
        ["create table if not exists public.n ()", "alter table public.t add column if not exists b int"]
    )
    with connect(url, application_name="report", autocommit=False) as other:
        other.execute("create table public.t (a int)")
        other.commit()
        other.execute("select * from public.t")
        with pytest.raises(Waiting, match=rf'public\.t is held by pid {other.info.backend_pid} .*"report"'):
            apply(url, made, lock_timeout="300ms", pace=QUICK)
        assert history(url) == ()
        other.rollback()
    apply(url, made, pace=QUICK)
    assert [state for _, state, *_ in standing(url)] == ["applied"]


def test_another_thread_may_cancel(url: Url) -> None:
    sessions: list[psycopg.Connection] = []
    started = threading.Event()

    def begun(_: psycopg.Connection) -> None:
        started.set()

    def cancel() -> None:
        started.wait()
        asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and pid = {}"
        for _ in range(2000):
            if value(url, asleep.format(sessions[0].info.backend_pid)):
                sessions[0].cancel_safe()
                return

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    made = migration(["create table public.t ()", "select pg_catalog.pg_sleep(60)"])
    with pytest.raises(Waiting, match=r"user request.*everything in this step was rolled back"):
        apply(url, made, on_session=sessions.append, fence=begun)
    thread.join()
    assert history(url) == ()


def test_the_files_own_timeouts_come_before_the_callers(url: Url) -> None:
    seen = ["create table public.s (v text)", "insert into public.s values (current_setting('lock_timeout'))"]
    apply(url, replace(migration(seen), header=(("lock_timeout", "9s"),)), lock_timeout="3s")
    assert value(url, "select v from public.s") == "9s"


def test_the_inventory_follows_the_changes(url: Url) -> None:
    table, column = ObjectId("table", "public", "t"), ObjectId("column", "public", "t", "a")
    routine = ObjectId("routine", "public", "f", "(integer)")
    made = migration(["select 1"])
    apply(url, made, changes=[Change("create", table), Change("create", column), Change("create", routine)])
    with connect(url) as session:
        assert owned(session) == {table: made.version, routine: made.version}
    rollback(url, made, changes=[Change("drop", table), Change("drop", routine)])
    with connect(url) as session:
        assert owned(session) == {}


def test_pending_is_what_is_not_wholly_in_the_database(url: Url) -> None:
    one, two, three = (migration(["select 1"], version=f"2026112304000{n}") for n in range(3))
    apply(url, one)
    apply(url, two)
    rollback(url, two)
    assert pending(history(url), [three, two, one]) == (two, three)


def test_behind_a_pooler_that_gives_the_session_away_nothing_is_applied(
    proxy: Proxy, through: Callable[[], psycopg.Connection], url: Url
) -> None:
    proxy.pid = 4711
    mine: list[psycopg.Connection] = []

    def given_away() -> psycopg.Connection:
        """The first one's session, as the pooler's next client would get it."""
        session = through()
        if mine:
            told = mine[0].execute("show reconciler.client").fetchone()
            session.execute("select set_config('reconciler.client', %s, false)", told)
        mine.append(session)
        return session

    with pytest.raises(Stalled, match="pooler"):
        apply(given_away, migration(["create table public.t ()"]))
    assert value(url, "select to_regclass('public.t')") is None


def test_behind_a_pooler_in_session_mode_it_is_applied(
    proxy: Proxy, through: Callable[[], psycopg.Connection], url: Url
) -> None:
    proxy.pid = 4711
    assert apply(through, migration(["create table public.t ()"])).finished_at
    assert value(url, "select to_regclass('public.t')") is not None


def test_a_client_that_vanished_without_a_word_is_given_up_soon(url: Url) -> None:
    found: list[str] = []

    def look(inside: psycopg.Connection) -> None:
        for name in (
            "tcp_keepalives_idle",
            "tcp_keepalives_interval",
            "tcp_keepalives_count",
            "tcp_user_timeout",
        ):
            row = inside.execute("select pg_catalog.current_setting(%s)", (name,)).fetchone()
            found.append(row[0] if row else "")

    apply(url, migration(["select 1"]), fence=look)
    assert found == ["15", "5", "3", "30000"]


class TestLostConnections:
    MADE = migration([*THREE_STEPS[:2], "insert into public.t values (1)"], DOWN)

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
    def test_a_commit_without_an_answer_is_looked_up(
        self, proxy: Proxy, through: Callable[[], psycopg.Connection], url: Url, moment: str, number: int
    ) -> None:
        """Whichever commit breaks (one makes the history, two belong to the step outside transactions)."""
        commits = []

        def watch(message: bytes) -> str:
            if b"commit\x00" in message.lower():
                commits.append(message)
                return moment if len(commits) == number else ""
            return ""

        proxy.watch = watch
        if (
            number == 1
        ):  # the history's own transaction is no step: this run ends, the next one does everything
            with pytest.raises(Waiting, match="goes on from there"):
                apply(through, self.MADE, pace=QUICK)
        row = apply(through, self.MADE, pace=QUICK)
        assert len(commits) >= number
        assert (row.steps_done, row.steps, state_of(row)) == (3, 3, "applied")
        assert value(url, "select count(*) from public.t") == 1
        assert len(history(url)) == 1

    def test_when_nobody_answers_the_outcome_is_unknown(
        self, proxy: Proxy, through: Callable[[], psycopg.Connection], url: Url
    ) -> None:
        def watch(message: bytes) -> str:
            if b"commit\x00" in message:
                proxy.watch = lambda _: "before"
                return "before"
            return ""

        proxy.watch = watch
        with connect(url) as session:
            ensure(session)
        with pytest.raises(OutcomeUnknown, match="during commit of step 1"):
            apply(through, self.MADE, pace=QUICK)
        proxy.watch = lambda _: ""
        assert state_of(apply(through, self.MADE)) == "applied"

    def test_a_connection_lost_in_a_statement_is_told_as_rolled_back(
        self, proxy: Proxy, through: Callable[[], psycopg.Connection], url: Url
    ) -> None:
        proxy.watch = lambda message: "before" if b"pg_sleep" in message else ""
        made = migration(["create table public.t ()", Statement("select pg_sleep(0)", "")])
        with pytest.raises(Waiting, match="everything in this step was rolled back"):
            apply(through, made, pace=QUICK)
        assert history(url) == ()
        assert latest(history(url)) == {}


def test_what_stands_before_a_statement_apart_is_committed_first(url: Url) -> None:
    up = ["create table if not exists public.t ()", Statement("select 1/0", "", apart=True)]
    with pytest.raises(Stalled, match="division by zero"):
        apply(url, migration(up, DOWN))
    assert value(url, "select to_regclass('public.t') is not null")
    assert standing(url) == [("00", "partly applied", 1, 2)]
