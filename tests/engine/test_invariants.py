"""Declared invariants asked of a live database: counted, bounded, never a change, never a 0 that row-level security made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.engine import invariants
from reconciler.engine.invariants import asked, condition
from reconciler.pg import connect

AT = "2026-11-26T12:00:00+00:00"
TABLES = """
create table public.a (n integer);
create function public.f() returns trigger language plpgsql as $$ begin return new; end $$;
-- reconciler: invariant no negative: select n from public.a where n < 0
-- reconciler: invariant small: select n from public.a where n > 100
{more}
create trigger t before insert on public.a for each row execute function public.f();
"""


def declared(make: Callable[..., Any], *more: str) -> Any:
    project = make()
    project.declare(TABLES.format(more="\n".join(f"-- reconciler: invariant {one}" for one in more)))
    project.sql("create table public.a (n integer); insert into public.a values (1), (-1), (-2)")
    return project


def test_rows_that_break_an_invariant_are_counted(project: Callable[..., Any]) -> None:
    made = declared(project)
    found = asked(made.database)
    assert (found["rows"], found["unknown"]) == ({"no negative": 2, "small": 0}, {})
    told = condition(found, AT)
    assert told is not None and (told.status, told.sentence) == (
        "True",
        "invariants that do not hold: “no negative” (2 rows)",
    )
    made.sql("delete from public.a where n < 0")
    told = condition(asked(made.database), AT)
    assert told is not None and (told.status, told.sentence) == ("False", "2 invariants hold")


def test_nothing_can_be_changed_by_asking(
    project: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "_EACH", 0.5)
    made = declared(
        project,
        "writes: with x as (delete from public.a returning n) select n from x",
        "two: select 1) as x) as y; delete from public.a; select 1 from (select (select 1",
        "calls: select pg_catalog.nextval('public.s')",
        "slow: select pg_catalog.pg_sleep(30)",
    )
    made.sql("create sequence public.s")
    found = asked(made.database)
    assert found["rows"]["no negative"] == 2
    assert set(found["unknown"]) == {"writes", "two", "calls", "slow"}
    assert "read-only" in found["unknown"]["calls"] and "timeout" in found["unknown"]["slow"]
    assert made.sql("select count(*) from public.a") == [(3,)]
    told = condition({**found, "rows": {"small": 0}}, AT)
    assert told is not None and told.status == "Unknown"


def test_what_row_level_security_hides_is_unknown(project: Callable[..., Any]) -> None:
    made = declared(project)
    made.sql("create role invariant_reader; alter table public.a enable row level security")
    made.sql("grant select on public.a to invariant_reader")
    reader = made.url.with_options(options="-c role=invariant_reader")
    try:
        found = asked(made.database.model_copy(update={"url": reader}))
    finally:
        made.sql("drop owned by invariant_reader; drop role invariant_reader")
    assert found["rows"] == {}
    assert all("row-level security" in why for why in found["unknown"].values()), found


def test_where_none_is_declared_nothing_is_said(project: Callable[..., Any]) -> None:
    made = project()
    made.declare("create table public.a (n integer);")
    assert asked(made.database) == {} and condition({}, AT) is None


def test_the_session_is_gone_afterwards(project: Callable[..., Any]) -> None:
    made = declared(project)
    asked(made.database)
    with connect(made.url) as session:
        row = session.execute(
            "select count(*) from pg_stat_activity where application_name = 'reconciler invariants'"
        ).fetchone()
    assert row == (0,)
