"""A removed column goes in two phases: nobody's consent for the first, a condition until the second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.engine.applying import apply, rollback
from reconciler.engine.cycle import run_once
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.errors import Stalled
from reconciler.model import Condition

Make = Callable[..., Any]

LIVE = """
create type mood as enum ('calm', 'wild');
create sequence numbers;
create table t (id int primary key, a text not null, n int not null default nextval('numbers'), m mood not null default 'calm',
  note text);
alter sequence numbers owned by t.n;
create index t_a on t (a);
create table p (id int not null, v text not null) partition by list (id);
create table p1 partition of p for values in (1);
create table parent (id int, v text not null); create table child (w text) inherits (parent);
create table empty (id int, v text not null)
"""
LESS = """
create table t (id int primary key, note text);
create table p (id int not null) partition by list (id);
create table p1 partition of p for values in (1);
create table parent (id int); create table child (w text) inherits (parent);
create table empty (id int, v text not null);
"""
ROWS = "insert into t values (1, 'a'); insert into p values (1, 'v'); insert into child values (1, 'v', 'w')"


def nullable(p: Any) -> list[tuple[str, str]]:
    rows = p.sql(
        "select attrelid::regclass::text, attname::text from pg_catalog.pg_attribute as a join pg_catalog.pg_class as c on c.oid ="
        " attrelid where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped and"
        " attname in ('a', 'n', 'm', 'v') and not attnotnull order by 1, 2"
    )
    return [tuple(row) for row in rows]


def condition(p: Any) -> Condition | None:
    status = run_once(p.database)
    return next((c for c in status.conditions if c.type == "PhasePending"), None)


def test_first_it_may_be_null_then_it_goes(project: Make) -> None:
    p = project(LESS, live=LIVE)
    p.sql(ROWS)
    assert condition(p) is None
    (done,) = apply(p.database)
    assert done.steps_done == done.steps
    both = [("child", "v"), ("p", "v"), ("p1", "v"), ("parent", "v"), ("t", "a"), ("t", "m"), ("t", "n")]
    assert nullable(p) == both
    assert p.sql("insert into t (id) values (2) returning a, n, m::text") == [(None, 2, "calm")]
    found = condition(p)
    assert found is not None and (found.status, found.reason) == ("True", "NextApply")
    assert done.version in found.sentence

    with pytest.raises(Stalled, match="DELETES_DATA"):
        apply(p.database)
    apply(p.database, allow={"DELETES_DATA"})
    assert drift(p.database).changes == ()
    assert condition(p) is None


def test_the_way_back_of_the_first_phase_asks_for_a_value_again(project: Make) -> None:
    p = project(
        "create table t (id int primary key);", live="create table t (id int primary key, a text not null)"
    )
    p.sql("insert into t values (1, 'a')")
    apply(p.database)
    assert nullable(p) == [("t", "a")]
    rollback(p.database)
    assert nullable(p) == []


@pytest.mark.parametrize(
    ("said", "extra"), [({"DELETES_DATA"}, {}), ((), {"removal": "immediate", "allow": ("DELETES_DATA",)})]
)
def test_whoever_says_so_has_it_at_once(project: Make, said: set[str], extra: dict[str, Any]) -> None:
    p = project(
        "create table t (id int primary key);",
        live="create table t (id int primary key, a text not null)",
        **extra,
    )
    p.sql("insert into t values (1, 'a')")
    apply(p.database, allow=said)
    assert drift(p.database).changes == ()


def test_an_empty_table_has_no_phases(project: Make) -> None:
    p = project(
        "create table t (id int primary key);", live="create table t (id int primary key, a text not null)"
    )
    with pytest.raises(Stalled, match="DELETES_DATA"):
        apply(p.database)


def test_a_file_of_the_first_phase_is_applied(project: Make) -> None:
    from reconciler import migrate

    p = project(
        "create table t (id int primary key);", live="create table t (id int primary key, a text not null)"
    )
    p.sql("insert into t values (1, 'a')")
    whole = propose(p.database).migration
    first = propose(p.database, phases=True).migration
    assert whole is not None and any("drop column" in s.sql for s in whole.up)
    assert first is not None and ["drop not null" in s.sql for s in first.up] == [True]
    migrate.write(first, p.database.migrations)
    apply(p.database)
    assert nullable(p) == [("t", "a")]
