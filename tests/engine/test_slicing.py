"""A plan made on a slice says the same as one made on everything, and nothing that matters is left out of the slice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.catalog import snapshot as catalog
from reconciler.catalog.compare import compare
from reconciler.cli.present.plan import plan_lines
from reconciler.embedded import Server
from reconciler.engine import slicing
from reconciler.engine.diff import Difference, diff
from reconciler.engine.document import plan_document
from reconciler.engine.planning import propose
from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.plan.closure import closure

from .conftest import Project

BASE = """
create type public.mood as enum ('sad', 'ok');
create domain public.positive as integer check (value > 0);
create function public.audited() returns trigger language plpgsql as $$
begin insert into public.audit (what) values (tg_table_name); return null; end $$;
create function public.mine(org uuid) returns boolean language sql stable as $$ select org is not null $$;
create table public.orgs (id uuid primary key, name text not null unique, mood public.mood);
create table public.audit (id bigint generated always as identity primary key, what text not null);
create table public.orders (
  id bigint primary key, org uuid not null references public.orgs, total numeric(10,2) default 0, note varchar(40),
  counted public.positive
);
create index orders_org on public.orders (org);
create trigger orders_audited after insert on public.orders for each row execute function public.audited();
alter table public.orders enable always trigger orders_audited;
alter table public.orders enable row level security;
create policy own on public.orders using (public.mine(org));
create table public.lines (order_id bigint references public.orders on delete cascade, n integer, primary key (order_id, n));
create view public.large_orders as select id, org, total, note from public.orders where total > 100;
create view public.very_large as select id, note from public.large_orders where total > 1000;
create table public.events (at date not null, what text) partition by range (at);
create table public.events_2025 partition of public.events for values from ('2025-01-01') to ('2026-01-01');
create table public.base (a integer);
create table public.child (b integer) inherits (public.base);
create table public.far (id integer primary key, x text);
create table public.farther (id integer primary key references public.far);
"""

CHANGES = {
    "a column": "alter table public.orders add column paid boolean not null default false",
    "a type under views": "drop view public.very_large, public.large_orders; alter table public.orders alter note type text;"
    " create view public.large_orders as select id, org, total, note from public.orders where total > 100;"
    " create view public.very_large as select id, note from public.large_orders where total > 1000",
    "a dropped table": "drop table public.lines",
    "a table others point to": "alter table public.lines drop constraint lines_order_id_fkey; drop view public.very_large,"
    " public.large_orders; drop table public.orders",
    "an enum value": "alter type public.mood add value 'happy'",
    "a function used by a policy": "drop policy own on public.orders; drop function public.mine(uuid); create function"
    " public.mine(org uuid) returns boolean language sql stable as $$ select true $$; create policy own on public.orders"
    " using (public.mine(org) and total > 0)",
    "a trigger's function": "create or replace function public.audited() returns trigger language plpgsql as $$ begin insert"
    " into public.audit (what) values ('x'); return null; end $$",
    "an index": "create index orders_total on public.orders (total)",
    "a policy": "create policy more on public.orders for select using (exists (select from public.orgs as g where g.id = org))",
    "a partition": "create table public.events_2026 partition of public.events for values from ('2026-01-01') to ('2027-01-01')",
    "a column of a parent": "alter table public.base add column c text",
    "a partitioned table": "alter table public.events add column who text; create index events_at on public.events (at)",
    "a domain": "alter domain public.positive add constraint small check (value < 1000)",
    "a grant": "grant select (note) on public.orders to public",
    "a default privilege": "alter default privileges in schema public grant select on tables to public;"
    " create table public.added (id integer primary key)",
    "a foreign key": "alter table public.far add column org uuid references public.orgs",
    "a comment": "comment on table public.far is 'said'",
}  # fmt: skip


@pytest.fixture
def sides(tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    def make(change: str) -> tuple[str, str]:
        for name, text in (("before", BASE), ("after", f"{BASE}{change};\n")):
            (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
        return str(tmp_path / "before.sql"), str(tmp_path / "after.sql")

    return make


def _diff(sides: tuple[str, str], server: Server, above: int, monkeypatch: pytest.MonkeyPatch) -> Difference:
    with monkeypatch.context() as patch:
        patch.setattr(slicing, "LARGE", above)
        return diff(*sides, where=server.url, prove=True)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_same_plan_from_a_slice_and_from_everything(
    change: str, sides: Callable[[str], tuple[str, str]], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slicing, "MOST", 1.0)
    part = _diff(sides(change), server, 0, monkeypatch)
    whole = _diff(sides(change), server, 1_000_000, monkeypatch)
    assert part.plan.notes == whole.plan.notes == ()
    assert part.rehearsal is not None
    assert whole.rehearsal is not None
    assert (part.rehearsal.scope, whole.rehearsal.scope) == ("slice", "full")
    assert part.rehearsal.passed, part.rehearsal.residue
    assert [s.sql for s in part.plan.up] == [s.sql for s in whole.plan.up]
    assert [s.sql for s in part.plan.down] == [s.sql for s in whole.plan.down]
    assert part.plan.changes == whole.plan.changes
    assert (part.plan.before, part.plan.after) == (whole.plan.before, whole.plan.after)


def _closure(
    before: str, after: str, database: Callable[..., Url]
) -> tuple[frozenset[ObjectId], set[ObjectId]]:
    read = []
    for text in (before, after):
        with connect(database()) as connection:
            connection.execute(text.encode())
            read.append(catalog.read(connection))
    return closure(*read, compare(*read)), {*read[0].digests, *read[1].digests}


def test_what_a_change_cannot_touch_stays_out(database: Callable[..., Url]) -> None:
    kept, everything = _closure(BASE, f"{BASE}{CHANGES['an index']};", database)
    assert {id.name for id in everything - kept if id.kind == "table"} == {
        "events", "events_2025", "base", "child", "far", "farther",
    }  # fmt: skip
    kept, _ = _closure(BASE, f"{BASE}{CHANGES['a comment']};", database)
    assert {id.name for id in kept if id.kind == "table"} == {"far", "farther"}


def test_a_slice_is_closed(database: Callable[..., Url]) -> None:
    """Nothing in it needs anything outside."""
    with connect(database()) as connection:
        connection.execute(BASE.encode())
        before = catalog.read(connection)
        for change in CHANGES.values():
            with connection.transaction(force_rollback=True):
                connection.execute(change.encode())
                after = catalog.read(connection)
            kept = closure(before, after, compare(before, after))
            for side in (before, after):
                for id in kept & side.digests.keys():
                    assert side.edges.get(id, frozenset()) <= kept, change
                    parent = side.facts[id].parent
                    assert parent is None or parent in kept, change


def test_a_table_that_only_a_trigger_speaks_of_is_there_when_rows_are_made(
    sides: Callable[[str], tuple[str, str]], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL records no dependency of audited() on audit; without that table no row could enter orders."""
    monkeypatch.setattr(slicing, "MOST", 1.0)
    found = _diff(sides(CHANGES["an index"]), server, 0, monkeypatch)
    assert found.rehearsal is not None
    assert found.rehearsal.scope == "slice"
    assert {"public.orders", "public.audit"} <= set(found.rehearsal.seeded)
    assert "public.far" not in found.rehearsal.seeded
    assert found.rehearsal.unseeded == ()


def test_a_name_that_something_undeclared_bears_is_found(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view is no dependent of the table and stays, undeclared; but the index cannot have its name."""
    live = "create table public.t (id integer primary key, note text); create view public.taken as select 1 as one;"
    made = project(
        "create table public.t (id integer primary key, note text); create index taken on public.t (note);", live=live
    )  # fmt: skip
    monkeypatch.setattr(slicing, "LARGE", 0)
    monkeypatch.setattr(slicing, "MOST", 1.0)
    found = propose(made.database)
    assert found.rehearsal is not None
    assert not found.rehearsal.passed
    assert found.plan.notes[-1].startswith("planned on the whole database")


def test_a_slice_that_cannot_be_built_is_given_up_and_said(
    sides: Callable[[str], tuple[str, str]], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slicing, "MOST", 1.0)

    def narrow(*given: Any) -> frozenset[ObjectId]:
        return frozenset(id for id in closure(*given) if id.name != "orgs")

    monkeypatch.setattr(slicing, "closure", narrow)
    found = _diff(sides(CHANGES["a column"]), server, 0, monkeypatch)
    assert found.rehearsal is not None
    assert found.rehearsal.passed
    assert found.rehearsal.scope == "full"
    assert "it could not be built" in found.plan.notes[0]


def test_a_change_that_reaches_everything_is_no_slice(
    sides: Callable[[str], tuple[str, str]], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _diff(sides("create publication p for all tables"), server, 0, monkeypatch)
    assert found.rehearsal is not None
    assert found.rehearsal.scope == "full"
    assert "does not record" in found.plan.notes[0]


def test_the_declarations_are_not_loaded_again_for_a_slice(
    project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = "".join(f"create table public.t{n} (id integer primary key);" for n in range(6))
    made = project(f"{tables} create index i on public.t3 (id);", live=tables)
    monkeypatch.setattr(slicing, "LARGE", 0)
    first = propose(made.database)
    told: list[str] = []
    again = propose(made.database, told=told.append)
    assert "load the declarations" not in told
    assert "copy the live schema" not in told
    assert again.rehearsal is not None
    assert again.rehearsal.passed
    assert again.rehearsal.scope == "slice"
    assert [s.sql for s in again.plan.up] == [s.sql for s in first.plan.up]
    text = "\n".join(str(line) for line in plan_lines(again.plan, again.rehearsal, major=again.major))
    assert "scope slice" in text
    assert json.loads(json.dumps(plan_document(again.plan, again.rehearsal)))["proof"]["scope"] == "slice"
