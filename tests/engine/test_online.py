"""Plans for busy tables through the engine: chosen by the sizes of the target, rehearsed, applied, taken back."""

from __future__ import annotations

from pathlib import Path

from reconciler.engine.applying import apply, rollback
from reconciler.engine.planning import propose

OLD = """
create table public.owners (id int primary key);
create table public.things (id int primary key, owner int, code text, note text);
create index things_note on public.things (note);
"""
ROWS = """
insert into public.owners select n from generate_series(1, 10) as n;
insert into public.things select n, 1 + n % 10, 'c' || n, 'n' from generate_series(1, 3000) as n;
analyze;
"""
NEW = """
create table public.owners (id int primary key);
create table public.things (
  id int primary key,
  owner int not null references public.owners,
  code text not null unique check (code <> ''),
  note text,
  made uuid not null default gen_random_uuid(),
  draw double precision default random()
);
create index things_note on public.things (note, id);
create index things_made on public.things (made);
"""


def test_a_busy_table_is_changed_online_and_back(project) -> None:  # type: ignore[no-untyped-def]
    made = project(NEW, live=OLD + ROWS, online_rows=1000)
    proposal = propose(made.database)
    assert proposal.rehearsal is not None and proposal.rehearsal.passed, proposal.rehearsal
    sql = [s.sql for s in proposal.plan.up]
    assert sum("index concurrently if not exists" in text for text in sql) == 3
    assert sum("drop index concurrently" in text for text in sql) == 1
    assert sum("not valid" in text for text in sql) >= 3
    assert not {h.code for h in proposal.plan.hazards} & {
        "BLOCKS_WRITES",
        "SCANS_UNDER_LOCK",
        "REWRITES_TABLE",
    }
    before = made.sql("select id, owner, code, note from public.things order by id")
    apply(made.database)
    assert made.sql("select count(*) from public.things where made is null or draw is null") == [(0,)]
    assert made.sql("select count(distinct made) from public.things") == [(3000,)]
    assert propose(made.database).plan.up == ()
    rollback(made.database, allow={"all"})
    assert made.sql("select id, owner, code, note from public.things order by id") == before


def test_a_small_table_keeps_the_direct_form(project) -> None:  # type: ignore[no-untyped-def]
    made = project(NEW, live=OLD + ROWS)
    plan = propose(made.database, prove=False).plan
    assert all(s.transactional and not s.apart for s in (*plan.up, *plan.down))


def test_a_declared_value_is_filled_in_batches(project) -> None:  # type: ignore[no-untyped-def]
    new = """
create table public.owners (id int primary key);
create table public.things (
  id int primary key,
  code text,
  -- reconciler: fill 'c' || (coalesce(owner, 0) + id)::text
  label text not null default 'none'
);
"""
    made = project(new, live=OLD + ROWS, online_rows=1000)
    plan = propose(made.database).plan
    assert any("pg_blocking_pids" in s.sql for s in plan.up)
    said: list[str] = []
    apply(made.database, allow={"all"}, on_note=said.append)
    assert "public.things.label: 3000 rows filled" in said
    assert made.sql("select count(*), min(label) from public.things where label is not null") == [
        (3000, "c1001")
    ]
    assert propose(made.database).plan.up == ()
    assert Path(made.folder).exists()


def test_what_a_guarded_table_asks_for_is_given(project) -> None:  # type: ignore[no-untyped-def]
    rows = ROWS.replace("3000", "12000")
    made = project(
        NEW.replace(" references public.owners", ""), live=OLD + rows, online_rows=1000, guarded_rows=11_000
    )
    notes = propose(made.database).notes
    assert not [note for note in notes if "guarded" in note]
