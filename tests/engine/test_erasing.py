"""Erasing through foreign keys: what meets the condition goes, or nothing does; no other row is deleted or changed unsaid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.engine import purging
from reconciler.engine.applying import apply, rollback
from reconciler.engine.erasing import Erased
from reconciler.engine.planning import propose

from .conftest import Project

Make = Callable[..., Project]
ALLOWED = {"DELETES_DATA"}
ACTIONS = {
    "cascades": "on delete cascade",
    "nulls": "on delete set null",
    "defaults": "on delete set default",
    "stops": "on delete no action deferrable initially deferred",
    "restricts": "on delete restrict",
}
OTHERS = "create table people (id integer primary key); create sequence counter;"
FORESTS = "".join(
    f"create table {name} (id integer primary key, u integer, up integer default 5 references {name} {action});"
    for name, action in ACTIONS.items()
)
FILL = "".join(
    f"insert into {name} values (1, 7, null), (2, 8, 1), (3, 8, 2), (4, 7, 1), (5, 9, null), (6, 6, 6);"
    for name in ACTIONS
)
DAYS = """
create table days (id integer primary key, u integer, up integer references days on delete cascade) partition by range (id);
create table days_1 partition of days for values from (0) to (10);
create table days_2 partition of days default;
"""
FILL_DAYS = """
insert into days values (1, 7, null), (2, 7, 1), (11, 7, 1), (12, 8, null), (3, 8, 12), (4, 9, null), (13, 9, 4), (5, 6, null),
  (14, 10, 5);
"""


def kept(project: Make, text: str, rows: str, others: str = OTHERS) -> Project:
    p = project(others + text)
    apply(p.database)
    p.sql(rows)
    p.declare(others)
    apply(p.database, allow=ALLOWED)
    return p


def erased(p: Project, condition: str) -> dict[str, Erased]:
    return {one.kept.id.name: one for one in purging.erase(p.database, condition)}


def rows(p: Project, name: str) -> list[tuple[int, ...]]:
    ((here,),) = p.sql(
        f"select kept_as from reconciler_quarantine.kept where name = '{name}' and kind = 'table'"
    )
    return p.sql(f"select id, u, up from reconciler_quarantine.{here} order by id")


def test_rows_that_refer_to_those_of_a_person(project: Make) -> None:
    p = kept(project, FORESTS, FILL)
    before = rows(p, "cascades")
    assert len(before) == 6
    for name, one in erased(p, "u = 7").items():
        assert one.rows is None, name
        assert f"{name}_up_fkey" in one.reason
        assert rows(p, name) == before
    said = erased(p, "u = 7")
    assert "would delete 1 row as well (on delete cascade)" in said["cascades"].reason
    assert "would change 1 row as well (on delete set null)" in said["nulls"].reason
    assert "would change 1 row as well (on delete set default)" in said["defaults"].reason
    assert "would delete 2 rows as well" in erased(p, "id in (1, 2)")["cascades"].reason
    # Rows to which nothing refers, or only themselves; then all that stands on one another.
    for condition, number, left in (("u = 9", 1, 5), ("u = 6", 1, 4), ("u in (7, 8)", 4, 0)):
        found = erased(p, condition)
        assert {one.rows for one in found.values()} == {number}, found
        assert {len(rows(p, name)) for name in ACTIONS} == {left}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["cascades", "nulls"])
def test_what_the_first_look_did_not_show_is_counted(project: Make, name: str) -> None:
    """A condition that answers otherwise each time: the key has acted when the rows are counted, and all is undone."""
    p = kept(project, FORESTS, FILL)
    before = rows(p, name)
    p.sql("select setval('counter', 1, false)")
    ((here,),) = p.sql(f"select kept_as from reconciler_quarantine.kept where name = '{name}'")
    home = f"'reconciler_quarantine.{here}'::regclass"
    found = erased(
        p, f"case when tableoid = {home} and id = 1 then nextval('public.counter') > 1 else false end"
    )
    assert found[name].rows is None
    assert "1 row would be deleted" in found[name].reason
    assert rows(p, name) == before


@pytest.mark.thorough
def test_partitions_that_refer_to_each_other(project: Make) -> None:
    """What refers to the rows goes first, wherever it is kept; a key that would take rows of somebody else stops its partition."""
    p = kept(project, DAYS, FILL_DAYS)
    for person, numbers in ((7, (2, 1)), (8, (1, 1)), (9, (1, 1))):
        found = erased(p, f"u = {person}")
        assert (found["days"].rows, found["days_1"].rows, found["days_2"].rows) == (0, *numbers)
    assert rows(p, "days") == [(5, 6, None), (14, 10, 5)]
    found = erased(p, "u = 6")
    assert (found["days"].rows, found["days_1"].rows, found["days_2"].rows) == (0, None, 0)
    assert "foreign key days_up_fkey of reconciler_quarantine.days" in found["days_1"].reason
    assert rows(p, "days") == [(5, 6, None), (14, 10, 5)]
    rollback(p.database)
    assert p.sql("select id from days order by id") == [(5,), (14,)]
    p.declare(OTHERS + DAYS)
    assert propose(p.database).plan.changes == ()


def test_tables_that_refer_to_a_kept_one(project: Make) -> None:
    """Triggers of a kept table are silent while rows to which it refers go; a living table is not touched at all."""
    p = kept(
        project,
        "create table notes (id integer primary key, u integer); create table lines (id integer, u integer, note integer);",
        "insert into notes values (1, 7), (2, 8), (3, 9); insert into lines values (1, 7, 1), (2, 8, 2)",
    )
    name = dict(p.sql("select name, 'reconciler_quarantine.' || kept_as from reconciler_quarantine.kept"))
    p.sql(
        f"""
create function seen() returns trigger language plpgsql as $$ begin insert into people values (1); return null; end $$;
alter table {name["lines"]} add constraint of_note foreign key (note) references {name["notes"]} on delete cascade;
create trigger seen after delete on {name["lines"]} for each statement execute function seen();
create rule never as on delete to {name["lines"]} do also insert into public.people values (2);
"""
    )
    found = erased(p, "u = 9")
    assert (found["notes"].rows, found["lines"].rows) == (1, 0)
    found = erased(p, "id = 1 and u = 7")
    assert (found["notes"].rows, found["lines"].rows) == (1, 1)
    assert p.sql("select count(*) from people") == [(0,)]
    assert p.sql("select tgenabled::text from pg_trigger where tgname = 'seen'") == [("O",)]
    assert p.sql("select ev_enabled::text from pg_rewrite where rulename = 'never'") == [("O",)]
    p.sql(
        f"create table living (note integer references {name['notes']} on delete cascade); insert into living values (2)"
    )
    found = erased(p, "u = 8")
    assert (found["notes"].rows, found["lines"].rows) == (None, 1)
    assert (
        "public.living, which is not kept, refers to it by foreign key living_note_fkey"
        in found["notes"].reason
    )
    assert p.sql("select count(*) from living") == [(1,)]
