"""The cut into steps, what a statement's text tells, and the pace of trying again: no database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model import Statement
from reconciler.run import (
    ConcurrentBuild,
    Pace,
    concurrent_build,
    is_transactional,
    steps,
    waits_without_blocking,
)
from reconciler.run.steps import normalised


def statement(name: str, *, transactional: bool = True) -> Statement:
    return Statement(f"select '{name}'", name, transactional=transactional)


def test_contiguous_transactional_statements_are_one_step() -> None:
    a, b, d = statement("a"), statement("b"), statement("d")
    c, e = statement("c", transactional=False), statement("e", transactional=False)

    cut = steps([a, b, c, e, d])

    assert [(step.number, step.statements) for step in cut] == [(1, (a, b)), (2, (c,)), (3, (e,)), (4, (d,))]
    assert [step.transactional for step in cut] == [True, False, False, True]


def test_a_statement_apart_begins_a_step() -> None:
    a, b, c, d = (statement(name) for name in "abcd")
    alone = statement("alone", transactional=False)
    apart = replace(b, apart=True)

    assert [s.statements for s in steps([a, apart, c])] == [(a,), (apart, c)]
    assert [s.statements for s in steps([apart, c, alone, apart, d])] == [(apart, c), (alone,), (apart, d)]
    assert normalised([apart, c, alone, apart, apart]) == (b, c, alone, b, apart)


def test_nothing_has_no_steps() -> None:
    assert steps([]) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "create index concurrently i on t (a)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
        "-- why\n/* and * how */ drop index concurrently if exists i",
        "reindex (verbose) table concurrently t",
        "reindex (concurrently, verbose) index i",
        "vacuum full t",
        "alter table p detach partition c concurrently",
        "alter type mood add value if not exists 'new' after 'old'",
        "create database d",
        "alter system set work_mem = '1GB'",
        "create subscription s connection '' publication p",
    ],
)
def test_statements_that_stand_alone(sql: str) -> None:
    assert not is_transactional(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "create index i on t (a)",
        "create table concurrently (vacuum int)",
        "alter type mood rename value 'a' to 'b'",
        "alter table p detach partition c",
        "comment on table t is 'drop index concurrently i'",
        "insert into t values ('create index concurrently')",
        "cluster t using i",
        "reindex table t",
    ],
)
def test_statements_that_may_run_in_a_transaction(sql: str) -> None:
    assert is_transactional(sql)


def test_the_head_of_a_concurrent_build_is_read() -> None:
    sql = 'create unique index concurrently if not exists "A b" on only "S".t using btree (a) where b'
    assert concurrent_build(sql) == ConcurrentBuild('"A b"', '"S".t', guarded=True)
    assert concurrent_build("create index concurrently i on s . t(a)") == ConcurrentBuild(
        "i", "s . t", guarded=False
    )
    assert concurrent_build("create index concurrently on t (a)") is None
    assert concurrent_build("create index i on t (a)") is None


def test_only_index_commands_wait_without_making_others_wait() -> None:
    assert waits_without_blocking("create index concurrently i on t (a)")
    assert waits_without_blocking("drop index concurrently i")
    assert waits_without_blocking("reindex index concurrently i")
    assert not waits_without_blocking("alter table p detach partition c concurrently")


def test_pauses_double_and_stay_below_the_longest() -> None:
    pace = Pace(attempts=6, seconds=1000, first=1.0, longest=5.0, random=lambda: 1.0, clock=lambda: 0.0)
    assert list(pace.pauses()) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_pauses_are_jittered_by_half() -> None:
    low = Pace(attempts=3, seconds=1000, first=1.0, random=lambda: 0.0, clock=lambda: 0.0)
    assert list(low.pauses()) == [0.5, 1.0]


def test_no_pause_goes_beyond_the_total_time() -> None:
    now = [0.0]
    pace = Pace(attempts=100, seconds=10.0, first=2.0, longest=2.0, random=lambda: 1.0, clock=lambda: now[0])
    taken = 0.0
    for pause in pace.pauses():
        taken += pause
        now[0] += pause + 1.0
    assert taken == 6.0
