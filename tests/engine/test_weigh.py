"""How long a plan would take on the target's rows: said where its tables are large, and why not where it is not said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.cli.present import plan
from reconciler.engine import document
from reconciler.engine.applying import apply
from reconciler.engine.planning import propose
from reconciler.errors import Stalled
from reconciler.migrate import render
from reconciler.model import Band

from .conftest import Project

Make = Callable[..., Project]

BEFORE = """
create table public.customer (id bigint primary key, name text not null);
create table public.invoice (
  id bigint primary key, customer bigint not null references public.customer, number text not null unique, total int);
"""
AFTER = BEFORE.replace("total int", "total bigint") + "create index invoice_total on public.invoice (total);"
ROWS = """
insert into public.customer select g, 'c' || g from generate_series(1, 1500) g;
insert into public.invoice select g, 1 + g % 1500, 'n' || g, g from generate_series(1, 12000) g;
analyze
"""


def test_a_plan_on_a_large_table_says_how_long_it_takes_there(project: Make) -> None:
    p = project(AFTER, live=BEFORE + ROWS)
    found = propose(p.database)
    assert found.rehearsal is not None
    assert found.rehearsal.passed, found.rehearsal.residue
    assert found.rehearsal.unweighed == ()
    for measured in (*found.rehearsal.measured_up, *found.rehearsal.measured_down):
        assert isinstance(measured.on_live, Band)
        assert 0 <= measured.on_live.low < measured.on_live.high
    rewriting = next(one for one in found.rehearsal.measured_up if one.rewrites)
    assert rewriting.on_live is not None
    assert 0 < rewriting.on_live.low < rewriting.on_live.high < 60

    shown = document.plan_document(found.plan, found.rehearsal)
    assert all(set(one["seconds_on_live"]) == {"low", "high"} for one in (*shown["up"], *shown["down"]))
    for direction in ("up", "down"):
        total = shown["seconds_on_live"][direction]
        assert total["high"] >= max(one["seconds_on_live"]["high"] for one in shown[direction])
    text = "\n".join(line.plain for line in plan.plan_lines(found.plan, found.rehearsal))
    assert "on the target's rows" in text
    assert found.migration is not None
    header = dict(found.migration.header)
    assert "on the target's rows" in header["up total"]
    assert "on the target's rows" in header["down total"]
    assert "on the target's rows" in render(found.migration)


def test_a_plan_on_small_tables_says_that_it_was_not_timed(project: Make) -> None:
    found = propose(project(AFTER, live=BEFORE).database)
    assert found.rehearsal is not None
    assert found.rehearsal.passed
    assert found.rehearsal.unweighed == ("not timed at several scales: what it touches has not 10,000 rows",)
    shown = document.plan_document(found.plan, found.rehearsal)
    assert shown["seconds_on_live"] == {"up": None, "down": None}


def test_what_does_not_grow_with_the_rows_is_not_timed_at_scales(project: Make) -> None:
    told: list[str] = []
    wanted = (
        BEFORE + "create policy own on public.invoice using (id > 0); comment on table public.invoice is 'x';"
    )
    found = propose(project(wanted, live=BEFORE + ROWS).database, told=told.append)
    assert found.rehearsal is not None
    assert not any(stage.startswith("weigh") for stage in told)
    assert found.rehearsal.unweighed == ()
    bands = [one.on_live for one in (*found.rehearsal.measured_up, *found.rehearsal.measured_down)]
    assert all(band is not None and band.low == 0 and band.high < 5 for band in bands)


def test_what_made_up_rows_cannot_do_is_said(project: Make) -> None:
    """Two letters for 12,000 rows: no unique index can be made on repetitions of them."""
    live = """
    create table public.t (id bigint primary key, code char(2) not null check (code ~ '^[a-z]{2}$'));
    insert into public.t select g, 'aa' from generate_series(1, 12000) g;
    analyze
    """
    wanted = "create table public.t (id bigint primary key, code char(2) not null check (code ~ '^[a-z]{2}$'), unique (code));"
    found = propose(project(wanted, live=live).database)
    assert found.rehearsal is not None
    assert all(one.on_live is None for one in found.rehearsal.measured_up)
    (why,) = found.rehearsal.unweighed
    assert why.startswith("not timed at several scales: could not create unique index")


def test_what_a_guarded_table_asks_for_is_named_and_nothing_runs(project: Make) -> None:
    """The same plan is applied where the table counts as an ordinary one."""
    p = project(AFTER, live=BEFORE + ROWS, guarded_rows=11_000)
    found = propose(p.database)
    assert any(
        "CREATE INDEX CONCURRENTLY would keep nobody on public.invoice waiting" in one
        for one in found.lacking
    )
    assert not any("not timed" in one for one in found.lacking)
    assert any(found.lacking[0] in note for note in found.notes)
    with pytest.raises(Stalled) as refused:
        apply(p.database)
    assert "CREATE INDEX CONCURRENTLY" in refused.value.what
    assert p.migrations == []
    assert p.sql("select to_regclass('invoice_total')") == [(None,)]

    p.extra["guarded_rows"] = 1_000_000
    assert len(apply(p.database)) == 1


@pytest.mark.thorough
def test_a_file_of_a_person_is_asked_for_the_same(project: Make) -> None:
    p = project(
        BEFORE + "create index invoice_total on public.invoice (total);",
        live=BEFORE + ROWS,
        guarded_rows=11_000,
    )
    folder = p.folder / "schema" / "migrations"
    folder.mkdir(parents=True)
    file = folder / "20260301120000_total.sql"
    up = "create index if not exists invoice_total on public.invoice (total);"
    down = "drop index if exists public.invoice_total;"
    file.write_text(f"-- UP\n{up}\n\\quit\n-- DOWN\n{down}\n")
    with pytest.raises(Stalled) as refused:
        apply(p.database)
    assert "UP, statement 1: CREATE INDEX CONCURRENTLY" in refused.value.what
    assert "DOWN, statement 1: DROP INDEX CONCURRENTLY" in refused.value.what

    alone = [one.replace("index", "index concurrently", 1) for one in (up, down)]
    file.write_text(f"-- UP\n{alone[0]}\n\\quit\n-- DOWN\n{alone[1]}\n")
    assert [row.version for row in apply(p.database)] == ["20260301120000"]


def test_the_online_form_has_what_a_guarded_table_asks_for(project: Make) -> None:
    """Index, foreign key, check, NOT NULL and a filled column on a table that counts as busy, and as guarded."""
    live = BEFORE.replace("not null references public.customer", "not null") + ROWS
    wanted = (
        BEFORE.replace("total int", "total int not null check (total > 0), state text not null default 'new'")
        + "create index invoice_total on public.invoice (total);"
    )
    p = project(wanted, live=live, online_rows=5_000, guarded_rows=11_000)
    found = propose(p.database)
    assert found.rehearsal is not None
    assert found.rehearsal.passed, found.rehearsal.residue
    assert found.lacking == ()
    assert any("concurrently" in statement.sql for statement in found.plan.up)
    assert all(one.on_live is not None for one in found.rehearsal.measured_up)
    assert len(apply(p.database)) == 1


def test_made_up_rows_keep_what_the_plan_adds(project: Make) -> None:
    """A foreign key between columns that nothing linked before, a unique key, a check over both states' columns."""
    live = """
    create table public.org (id uuid primary key);
    create table public.item (id bigint primary key, org uuid not null, code text not null, price int not null);
    insert into public.org select md5(g::text)::uuid from generate_series(1, 1000) g;
    insert into public.item select g, md5((1 + g % 1000)::text)::uuid, 'c' || g, g from generate_series(1, 12000) g;
    analyze
    """
    wanted = """
    create table public.org (id uuid primary key);
    create table public.item (id bigint primary key, org uuid not null references public.org, code text not null unique,
      price int not null check (price > 0));
    """
    found = propose(project(wanted, live=live).database)
    assert found.rehearsal is not None
    assert found.rehearsal.passed, found.rehearsal.residue
    assert found.rehearsal.unweighed == ()
    assert all(one.on_live is not None for one in found.rehearsal.measured_up)


@pytest.mark.thorough
def test_a_partitioned_table_is_as_large_as_its_partitions_together(project: Make) -> None:
    live = """
    create table public.event (id bigint, day date not null, what text) partition by range (day);
    create table public.event_1 partition of public.event for values from ('2026-01-01') to ('2026-02-01');
    create table public.event_2 partition of public.event for values from ('2026-02-01') to ('2026-03-01');
    insert into public.event select g, date '2026-01-01' + g % 50, 'w' from generate_series(1, 12000) g;
    analyze
    """
    wanted = live.split("insert")[0].replace("what text", "what text not null")
    found = propose(project(wanted, live=live, guarded_rows=11_000, online_rows=1_000_000).database)
    assert found.rehearsal is not None
    assert found.rehearsal.passed, found.rehearsal.residue
    assert found.rehearsal.unweighed == ()
    assert all(one.on_live is not None for one in found.rehearsal.measured_up)
    wanted += "create index event_what on public.event (what);"
    found = propose(project(wanted, live=live, guarded_rows=11_000, online_rows=1_000_000).database)
    assert any("CREATE INDEX CONCURRENTLY" in one for one in found.lacking)
