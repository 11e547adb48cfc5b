"""Dropped data from end to end: kept by apply, seen by status, held, erased, purged, or brought back by rollback."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.cli.present.conditions import status_lines
from reconciler.engine import looking, purging
from reconciler.engine.applying import apply, rollback
from reconciler.engine.doctor import examine
from reconciler.engine.planning import propose
from reconciler.errors import Stalled, Usage
from reconciler.migrate import Progress, load_directory
from reconciler.model import HazardCode, Status

from .conftest import Project

Make = Callable[..., Project]
TWO = """
create table people (id integer primary key, name text);
create table visits (
  id bigint generated always as identity primary key, user_id integer references people, place text not null
);
"""
ONE = "create table people (id integer primary key, name text);"
FILLED = """
insert into people values (1, 'a'), (2, 'b');
insert into visits (user_id, place) select 1 + n % 2, 'here' from generate_series(1, 10) as n;
"""
ALLOWED = {"DELETES_DATA"}


def dropped(project: Make, **extra: Any) -> Project:
    """A database in which `visits` was created, filled and dropped."""
    p = project(TWO, **extra)
    apply(p.database)
    p.sql(FILLED)
    p.declare(ONE)
    apply(p.database, allow=ALLOWED)
    return p


def test_apply_keeps_and_rollback_brings_back(project: Make) -> None:
    p = project(TWO)
    apply(p.database)
    p.sql(FILLED)
    p.declare(ONE)
    with pytest.raises(Stalled, match="DELETES_DATA") as refused:
        apply(p.database)
    assert "kept in schema reconciler_quarantine" in str(refused.value)
    proposed = propose(p.database)
    assert proposed.plan.form == "quarantine"
    assert proposed.rehearsal is not None and proposed.rehearsal.passed and proposed.rehearsal.rows_kept
    assert {h.code for h in proposed.plan.hazards} == {HazardCode.DELETES_DATA}

    apply(p.database, allow=ALLOWED)
    assert p.sql("select to_regclass('visits')") == [(None,)]
    assert propose(p.database).plan.changes == ()
    p.sql("insert into people values (3, 'c')")
    rollback(p.database)
    assert p.sql("select count(*), max(id) from visits") == [(10, 10)]
    assert p.sql("insert into visits (user_id, place) values (3, 'there') returning id") == [(11,)]
    p.declare(TWO)
    assert propose(p.database).plan.changes == ()


def test_the_way_back_of_a_new_table_keeps_its_rows(project: Make) -> None:
    p = project(ONE)
    apply(p.database)
    p.declare(TWO)
    apply(p.database)
    p.sql(FILLED)
    rollback(p.database, allow=ALLOWED)
    assert p.sql("select to_regclass('visits')") == [(None,)]
    apply(p.database)
    assert p.sql("select count(*) from visits") == [(10,)]


@pytest.mark.thorough
@pytest.mark.parametrize("rows", [
    "", "insert into a (id) values (1)", "insert into b (id) values (1)",
    "insert into a (id) values (1); insert into b values (2, 1); update a set b = 2; insert into c values (3, 1)",
])  # fmt: skip
def test_new_tables_that_point_to_each_other_go_and_come_back(project: Make, rows: str) -> None:
    p = project(
        "create table a (id integer primary key, b integer); create table b (id integer primary key, a integer references a);"
        " alter table a add constraint a_b foreign key (b) references b; create table c (id integer primary key, a integer references a);"
    )
    content = "select (select array_agg(a) from a)::text, (select array_agg(b) from b)::text, (select array_agg(c) from c)::text"
    apply(p.database)
    if rows:
        p.sql(rows)
    before = p.sql(content)
    rollback(p.database, allow=ALLOWED)
    assert p.sql("select to_regclass('a'), to_regclass('b'), to_regclass('c')") == [(None, None, None)]
    apply(p.database)
    assert p.sql(content) == before
    assert p.sql("select count(*) from pg_constraint where contype = 'f' and convalidated") == [(3,)]
    assert propose(p.database).plan.changes == ()


@pytest.mark.thorough
@pytest.mark.majors
def test_a_kept_table_keeps_what_its_columns_are_computed_by(project: Make) -> None:
    """Before PostgreSQL 15 a function takes the generated columns that call it along, without CASCADE."""
    p = project(
        "create function plain(t text) returns text language sql immutable as $$ select lower(t) $$;"
        " create table firms (id integer primary key, name text, plain text generated always as (plain(name)) stored unique);"
    )
    apply(p.database)
    p.sql("insert into firms (id, name) values (1, 'Acme')")
    rollback(p.database, allow=ALLOWED)
    assert p.sql("select to_regclass('firms'), to_regproc('plain')") == [(None, None)]
    apply(p.database)
    assert p.sql("select id, name, plain from firms") == [(1, "Acme", "acme")]


def test_destroy_destroys(project: Make) -> None:
    p = project(TWO)
    apply(p.database)
    p.sql(FILLED)
    p.declare(ONE)
    apply(p.database, allow=ALLOWED, destroy=True)
    assert p.sql("select to_regnamespace('reconciler_quarantine')") == [(None,)]
    assert "drop table" in load_directory(p.database.migrations)[-1].up[-1].sql.lower()


def test_status_says_what_is_kept(project: Make) -> None:
    p = dropped(project)
    status, code = looking.look(p.database)
    assert code == 0
    (kept,) = status.facts["quarantine"]
    assert (kept["kind"], kept["id"], kept["held"]) == ("table", "public.visits", None)
    assert status.facts["quarantine_objects"] == 1
    assert status.facts["quarantine_bytes"] == kept["bytes"] > 0
    assert abs(status.facts["quarantine_oldest"] - datetime.now(UTC).timestamp()) < 600


def test_purge_waits_for_the_retention_and_for_who_holds(project: Make) -> None:
    p = dropped(project)
    assert purging.purge(p.database).gone == ()
    later = datetime.now(UTC) + timedelta(days=15)
    with pytest.raises(Usage, match="nothing is kept under the name"):
        purging.hold(p.database, ["public.nothing"], "no reason")
    (held,) = purging.hold(p.database, ["public.visits"], "lawsuit 7/26")
    assert held.held == "lawsuit 7/26"
    assert purging.purge(p.database, now=later).gone == ()
    purging.hold(p.database, ["public.visits"], None)
    done = purging.purge(p.database, now=later)
    assert [str(one.id) for one in done.gone] == ["public.visits"]
    assert done.left == ()
    assert purging.kept(p.database) == ()
    assert p.sql(
        "select count(*) from pg_class where relnamespace = 'reconciler_quarantine'::regnamespace and relkind = 'r'"
    ) == [(1,)]
    rollback(p.database)
    assert p.sql("select count(*) from visits") == [(0,)]


def test_purge_takes_partitions_and_what_they_needed(project: Make) -> None:
    days = """
create type mood as enum ('ok');
create table days (id integer, day date, state mood) partition by range (day);
create table days_1 partition of days for values from ('2026-01-01') to ('2026-02-01') partition by list (id);
create table days_1a partition of days_1 default;
"""
    p = project(ONE + days)
    apply(p.database)
    p.sql("insert into days values (1, '2026-01-05', 'ok')")
    p.declare(ONE)
    apply(p.database, allow=ALLOWED)
    assert {one.id.name for one in purging.kept(p.database)} == {"days", "days_1", "days_1a", "mood"}
    purging.hold(p.database, ["public.days_1a"], "kept by law")
    done = purging.purge(p.database, older_than=0)
    assert done.gone == ()
    assert {one.id.name: bool(reason) for one, reason in done.left} == {
        "days": True,
        "days_1": True,
    }
    assert "mood" in {one.id.name for one in purging.kept(p.database) if one.held}
    purging.hold(p.database, ["public.days_1a"], None)
    assert len(purging.purge(p.database, older_than=0).gone) == 4
    assert purging.kept(p.database) == ()


@pytest.mark.thorough
def test_who_holds_a_partitioned_table_holds_its_rows(project: Make) -> None:
    """Whatever of it is released or was never marked: while the table is held, its partitions lose nothing."""
    ev = """
create type mood as enum ('ok');
create table ev (id serial, day date, state mood) partition by range (day);
create table ev1 partition of ev for values from ('2026-01-01') to ('2026-02-01');
create table ev2 partition of ev default;
"""
    p = project(ONE + ev)
    apply(p.database)
    p.sql("insert into ev (day, state) values ('2026-01-05', 'ok'), ('2026-03-05', 'ok')")
    p.declare(ONE)
    apply(p.database, allow=ALLOWED)
    purging.hold(p.database, ["public.ev2"], "another")
    purging.hold(p.database, ["public.ev"], "lawsuit")
    assert {one.id.name: one.held for one in purging.kept(p.database) if one.id.kind in ("table", "enum")} == {
        "ev": "lawsuit", "ev1": "lawsuit", "ev2": "another", "mood": "another",
    }  # fmt: skip
    assert all(one.held for one in purging.kept(p.database))
    purging.hold(p.database, ["public.ev1"], None)
    done = purging.purge(p.database, older_than=0)
    assert done.gone == ()
    assert "ev1" in {one.id.name for one, _ in done.left}
    assert {reason for _, reason in done.left} == {"held: lawsuit"}
    assert {(one.rows, one.reason) for one in purging.erase(p.database, "true")} == {(None, "held: lawsuit")}
    purging.hold(p.database, ["public.ev"], None)
    tables = [one for one in purging.kept(p.database) if one.id.kind == "table"]
    assert {one.id.name: one.held for one in tables if one.held} == {"ev2": "another"}
    rollback(p.database)
    assert p.sql("select id from ev order by id") == [(1,), (2,)]


def test_erasing_a_person(project: Make) -> None:
    """Triggers, rules and policies of what is kept have no say, and are as they were afterwards."""
    guarded = (
        TWO
        + """
create table places (name text primary key);
create table notes (id integer primary key, user_id integer);
create function never() returns trigger language plpgsql as $$ begin raise exception 'never'; end $$;
create trigger never before delete on visits for each row execute function never();
create rule nobody as on delete to notes do instead nothing;
alter table visits enable row level security;
alter table visits force row level security;
"""
    )
    p = project(guarded, trust="reviewed")
    apply(p.database)
    p.sql(FILLED + "insert into places values ('here'); insert into notes values (1, 1), (2, 2)")
    p.declare(ONE)
    apply(p.database, allow=ALLOWED | {"WEAKENS_ISOLATION", "REVOKES_ACCESS"})
    purging.hold(p.database, ["public.notes"], "lawsuit")
    found = {str(one.kept.id): one for one in purging.erase(p.database, "user_id = 1")}
    assert found["public.visits"].rows == 5
    assert (found["public.notes"].rows, found["public.notes"].reason) == (None, "held: lawsuit")
    assert found["public.places"].rows is None and "user_id" in found["public.places"].reason
    purging.hold(p.database, ["public.notes"], None)
    assert {one.rows for one in purging.erase(p.database, "user_id = 1")} == {0, 1, None}
    assert all(
        one.rows is None for one in purging.erase(p.database, "true); drop table people; select (1 = 1")
    )
    rollback(p.database)
    p.declare(guarded)
    assert propose(p.database).plan.changes == ()
    assert p.sql("select count(*) from visits") == [(5,)]
    assert p.sql("select * from notes") == [(2, 2)]


@pytest.mark.thorough
def test_erasing_is_not_stopped_by_a_trigger_of_the_whole_table(project: Make) -> None:
    """A partition has copies of its table's row triggers: they neither keep a row nor write elsewhere, and are on afterwards."""
    text = """
create table seen (id integer);
create function keep() returns trigger language plpgsql as
  $$ begin insert into public.seen values (old.id); return null; end $$;
"""
    ev = """
create table ev (id integer, day date) partition by range (day);
create table ev1 partition of ev default;
create trigger keep before delete on ev for each row execute function keep();
"""
    p = project(text + ev, trust="reviewed")
    apply(p.database)
    p.sql("insert into ev values (1, '2026-01-05'), (2, '2026-01-06')")
    p.declare(text)
    apply(p.database, allow=ALLOWED)
    assert {one.kept.id.name: one.rows for one in purging.erase(p.database, "id = 1")} == {"ev": 0, "ev1": 1}
    assert p.sql("select count(*) from seen") == [(0,)]
    rollback(p.database)
    assert p.sql("select id from ev") == [(2,)]
    assert p.sql("select tgenabled::text from pg_trigger where tgname = 'keep'") == [("O",), ("O",)]
    p.declare(text + ev)
    assert propose(p.database).plan.changes == ()


class Interrupted(Exception):
    """The process ends here."""


def interrupted(p: Project, allow: Collection[str] = ALLOWED) -> None:
    """An apply that ends behind a statement outside transactions: when the rows of a column that goes are copied."""

    def end(progress: Progress) -> None:
        if not progress.statement.transactional:
            raise Interrupted

    with pytest.raises(Interrupted):
        apply(p.database, allow=allow, on_statement=end)


def begun(project: Make) -> Project:
    """A database on which the values of `visits.place` are copied and the column is there still."""
    p = project(TWO.replace("text not null", "text"), online_rows=5, guarded_rows=10**9)
    apply(p.database)
    p.sql(FILLED + "; analyze")
    p.declare(TWO.replace(", place text not null", ""))
    interrupted(p)
    return p


def test_what_an_interrupted_apply_began_to_keep_is_seen(project: Make) -> None:
    p = begun(project)
    p.sql("update visits set place = 'there' where id = 2")
    seen = [one for one in purging.kept(p.database) if one.unfinished]
    assert [(one.id.kind, one.id.name, one.id.part) for one in seen] == [
        ("unfinished_copy", "visits", "place"),
        ("unfinished_notes", "visits", ""),
    ]
    facts = looking.kept_facts(p.database)
    assert (len(facts["quarantine"]), facts["quarantine_objects"], facts["quarantine_oldest"]) == (2, 0, None)
    assert facts["quarantine_bytes"] > 0
    shown = [line.plain for line in status_lines(Status("test", "", facts=facts))]
    assert shown[-1].startswith("  begun           public.visits.place: being copied since ")
    (said,) = (one for one in examine(p.database) if one.name == "quarantine")
    assert said.state == "missing" and "kept of public.visits.place (since " in said.sentence
    assert "reconciler rollback" in said.hint

    done = purging.purge(p.database, older_than=0)
    assert done.gone == () and len(done.left) == 2 and not done.passes
    assert all("its migration is not finished" in reason for _, reason in done.left)

    purging.hold(p.database, ["public.visits.place"], "lawsuit")
    assert {one.rows for one in purging.erase(p.database, "id = 2")} == {None, 1}
    purging.hold(p.database, ["public.visits.place"], None)
    erased = {one.kept.id.kind: one.rows for one in purging.erase(p.database, "id in (2, 3)")}
    assert erased == {"unfinished_copy": 2, "unfinished_notes": 0}
    p.sql("delete from visits where id in (2, 3)")

    purging.hold(p.database, ["public.visits.place"], "lawsuit")
    apply(p.database, allow=ALLOWED)
    (kept,) = purging.kept(p.database)
    assert (kept.id.kind, kept.id.part, kept.held) == ("column", "place", "lawsuit")
    (said,) = (one for one in examine(p.database) if one.name == "quarantine")
    assert said.state == "good"
    rollback(p.database)
    assert p.sql("select count(*), count(place) from visits") == [(8, 8)]
    assert purging.kept(p.database) == ()


def test_what_was_begun_is_taken_back(project: Make) -> None:
    p = begun(project)
    rollback(p.database)
    assert purging.kept(p.database) == ()
    assert p.sql("select count(place) from visits") == [(10,)]
    assert p.sql(
        "select relname from pg_class where relnamespace = 'reconciler_quarantine'::regnamespace and relkind = 'r'"
    ) == [("kept",)]


@pytest.mark.thorough
def test_a_column_is_not_dropped_when_what_was_begun_is_gone(project: Make) -> None:
    """Somebody cleaned up by hand: nobody has noted since what was written, and nothing is kept."""
    p = begun(project)
    ((notes,),) = p.sql("select kept_as from reconciler_quarantine.kept where kind = 'unfinished_notes'")
    p.sql(
        f"drop function reconciler_quarantine.{notes.replace('notes_', 'note_')}() cascade; drop table reconciler_quarantine.{notes}"
    )
    with pytest.raises(Stalled, match=r"values of place of public\.visits are not kept") as refused:
        apply(p.database, allow=ALLOWED)
    assert "reconciler rollback" in str(refused.value)
    assert p.sql("select count(place) from visits") == [(10,)]
    rollback(p.database)
    apply(p.database, allow=ALLOWED)
    rollback(p.database)
    assert p.sql("select count(place) from visits") == [(10,)]


@pytest.mark.thorough
@pytest.mark.parametrize("back", [False, True], ids=["on", "back"])
def test_an_interrupted_change_of_type_goes_on_or_back(project: Make, back: bool) -> None:
    """Beside the rows, with what the narrower type cannot hold kept: from the middle `apply` goes on, and `rollback` leads back."""
    narrow = TWO.replace("place text not null", "place varchar(2)")
    p = project(TWO.replace("text not null", "text"), online_rows=5, guarded_rows=10**9)
    apply(p.database)
    p.sql(FILLED + "; analyze")
    p.declare(narrow)
    allowed = {"LOSSY_CAST", "DEPENDS_ON_DATA"}
    for _ in range(2):  # behind the first statement outside a transaction, and behind the next
        interrupted(p, allowed)
    p.sql("insert into visits (user_id, place) values (1, 'also here')")
    if not back:
        apply(p.database, allow=allowed)
        assert p.sql("select place, count(*) from visits group by 1 order by 1") == [("al", 1), ("he", 10)]
    rollback(p.database, allow=allowed)
    assert p.sql("select place, count(*) from visits group by 1 order by 1") == [
        ("also here", 1),
        ("here", 10),
    ]
    assert purging.kept(p.database) == ()
    p.declare(TWO.replace("text not null", "text"))
    assert propose(p.database).plan.changes == ()
