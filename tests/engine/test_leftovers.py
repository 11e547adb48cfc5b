"""Indexes that are not what their name says: invalid ones, different ones, and what an interrupted REINDEX leaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.engine import looking
from reconciler.engine.applying import apply
from reconciler.engine.doctor import examine
from reconciler.engine.drift import drift
from reconciler.errors import Stalled, Waiting
from reconciler.migrate import Progress

from .conftest import Project

Make = Callable[..., Project]

TABLE = "create table t (id int primary key, a int, b int);"
INDEX = "create index t_a on t (a);"
BREAK = "update pg_index set indisvalid = false where indexrelid = '{}'::regclass"


def by_hand(p: Project, up: str) -> None:
    folder = p.folder / "schema" / "migrations"
    folder.mkdir(exist_ok=True)
    down = "drop index concurrently if exists t_a;\nbegin;\ndrop table if exists other;\ncommit;\n"
    (folder / "20260101000000_by_hand.sql").write_text(f"-- UP\n{up}\n\\quit\n-- DOWN\n{down}")


@pytest.mark.parametrize("concurrently", [False, True])
def test_an_invalid_index_counts_as_missing_and_is_built_again(project: Make, concurrently: bool) -> None:
    p = project(TABLE + INDEX, live=TABLE + INDEX + "insert into t values (1, 1, 1)")
    p.sql(BREAK.format("t_a"))
    assert [(c.verb, str(c.id)) for c in drift(p.database).changes] == [("create", "public.t_a")]
    if concurrently:
        by_hand(p, "create index concurrently if not exists t_a on t (a);")
    notes: list[str] = []
    apply(p.database, on_note=notes.append, allow={"all"})
    assert "index public.t_a, left invalid by an interrupted build, was dropped and is built again" in notes
    assert p.sql("select indisvalid from pg_index where indexrelid = 't_a'::regclass") == [(True,)]
    assert drift(p.database).changes == ()


def test_what_a_reindex_left_is_named_and_left_alone(project: Make) -> None:
    p = project(
        TABLE + INDEX,
        live=TABLE + INDEX + "create index t_a_ccnew on t (a); create index t_a_ccold1 on t (a)",
    )
    p.sql(BREAK.format("t_a_ccnew") + ";" + BREAK.format("t_a_ccold1"))
    assert drift(p.database).changes == ()
    p.declare(TABLE + INDEX + "create view v as select 1 as one;")
    notes: list[str] = []
    apply(p.database, on_note=notes.append)
    new, old = notes
    assert new.startswith(
        "index public.t_a_ccnew on public.t is invalid, left by an interrupted REINDEX CONCURRENTLY (the new one"
    )
    assert "the old one of two" in old and old.endswith("drop index concurrently public.t_a_ccold1;")
    (check,) = (one for one in examine(p.database) if one.name == "indexes")
    assert check.state == "missing" and check.statements == (
        "drop index concurrently public.t_a_ccnew", "drop index concurrently public.t_a_ccold1",
    )  # fmt: skip
    assert p.sql("select count(*) from pg_index where not indisvalid") == [(2,)]


def meanwhile(p: Project, sql: str) -> Callable[[Progress], None]:
    """Somebody else changes the database once, after our first statement and in its transaction's time."""
    done: list[str] = []

    def interfere(progress: Progress) -> None:
        if not done:
            done.append(sql)
            p.sql(sql)

    return interfere


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("create index t_a on t (b)", "index public.t_a"),
        (f"create index t_a on t (a); {BREAK.format('t_a')}", ""),
        ("create index t_a on t (a)", ""),
    ],
    ids=["another index", "an invalid one", "the same"],
)
@pytest.mark.parametrize("online_rows", [100_000, 1], ids=["small", "busy"])
def test_an_index_of_the_name_behind_if_not_exists_is_looked_at(
    project: Make, theirs: str, why: str, online_rows: int
) -> None:
    """Between our look and our concurrent build somebody makes an index of that name."""
    p = project(
        TABLE + INDEX + "create table other (id int);",
        live=TABLE + "insert into t values (1, 1, 1); analyze t",
        online_rows=online_rows,
    )
    by_hand(
        p,
        "begin;\ncreate table if not exists other (id int);\ncommit;\ncreate index concurrently if not exists t_a on t (a);",
    )
    if not why:
        (row,) = apply(p.database, allow={"all"}, on_statement=meanwhile(p, theirs))
        assert (row.steps_done, row.steps) == (2, 2)
        assert p.sql("select indisvalid from pg_index where indexrelid = 't_a'::regclass") == [(True,)]
        return
    with pytest.raises(
        Stalled,
        match=rf"not as rehearsed after the last statement, in {why}; what ran outside a transaction stands",
    ):
        apply(p.database, allow={"all"}, on_statement=meanwhile(p, theirs))
    (row,) = looking.history(p.database)
    assert (row.steps_done, row.steps) == (1, 2)


def test_an_index_that_appears_inside_the_plan_s_own_transaction_is_not_committed(project: Make) -> None:
    """Nobody can make one there but the migration itself; before it begins, the plan is stale."""
    p = project(TABLE + INDEX, live=TABLE)
    interfered: list[object] = []

    def early(stage: str) -> None:
        if stage == "ask the live database" and not interfered:
            interfered.append(p.sql("create index t_a on t (b)"))

    with pytest.raises(Waiting, match=r"changed since it was planned: .*index public.t_a"):
        apply(p.database, told=early)
    assert looking.history(p.database) == ()
