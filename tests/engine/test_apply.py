"""From declarations to an applied, rehearsed, reversible migration, on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.embedded import Server
from reconciler.engine.applying import apply, rollback
from reconciler.engine.drift import drift
from reconciler.engine.planning import propose
from reconciler.errors import Stalled, Waiting
from reconciler.migrate import load_directory
from reconciler.migrate import rollback as migrate_back
from reconciler.model import HazardCode, ObjectId
from reconciler.pg import Secret, connect

from .conftest import Project

Make = Callable[..., Project]

ORDERS = """
create table orders (id bigint primary key, org_id uuid not null, note text);
alter table orders enable row level security;
alter table orders force row level security;
create function touch() returns trigger language plpgsql set search_path = '' as $$
begin new.note := coalesce(new.note, ''); return new; end $$;
create trigger touch before insert on orders for each row execute function touch();
create policy own on orders using (org_id::text = current_setting('app.org', true));
"""


def test_the_first_slice_one_table_one_policy_one_trigger(project: Make) -> None:
    p = project(ORDERS, shadow="auto")
    proposed = propose(p.database)
    assert proposed.rehearsal is not None
    assert proposed.rehearsal.residue == ()
    assert 0 < proposed.plan.share_of_migra < 1
    assert proposed.plan.hazards == ()

    (done,) = apply(p.database)

    assert done.version and len(p.migrations) == 1
    assert p.sql(
        "select relrowsecurity, relforcerowsecurity from pg_class where oid = 'orders'::regclass"
    ) == [(True, True)]
    assert drift(p.database).changes == ()
    assert apply(p.database) == ()
    assert len(p.migrations) == 1


def test_an_undeclared_part_is_planned_away_and_an_undeclared_table_stays(project: Make) -> None:
    p = project(ORDERS)
    apply(p.database)
    p.sql(
        "create table stranger (id int); alter table orders add column junk int; create index i on orders (note)"
    )
    seen = drift(p.database)
    assert seen.extra == (ObjectId("table", "public", "stranger"),)
    assert {(c.verb, c.id.kind) for c in seen.changes} == {("drop", "column"), ("drop", "index")}

    with pytest.raises(Stalled, match="DELETES_DATA") as refused:
        apply(p.database)
    assert "--allow DELETES_DATA" in str(refused.value)
    assert p.sql(
        "select count(*) from pg_attribute where attrelid = 'orders'::regclass and attname = 'junk'"
    ) == [(1,)]

    apply(p.database, allow={"DELETES_DATA"})
    assert drift(p.database).changes == ()
    assert p.sql("select to_regclass('stranger') is not null") == [(True,)]


def test_what_we_created_is_dropped_when_it_is_no_longer_declared(project: Make) -> None:
    p = project(ORDERS + "create view recent as select id from orders;")
    apply(p.database)
    p.declare(ORDERS)
    (change,) = drift(p.database).changes
    assert (change.verb, str(change.id)) == ("drop", "public.recent")
    apply(p.database)
    assert p.sql("select to_regclass('recent')") == [(None,)]


def test_prune_drops_strangers_too(project: Make) -> None:
    p = project(ORDERS, live="create view stranger as select 1 as one", prune=True)
    apply(p.database)
    assert p.sql("select to_regclass('stranger')") == [(None,)]


def test_a_not_null_column_on_a_table_with_rows_needs_a_fill(project: Make) -> None:
    p = project(
        "create table t (id int primary key, size int not null);", live="create table t (id int primary key)"
    )
    p.sql("insert into t values (1), (2)")
    with pytest.raises(Stalled, match="nothing says what they get") as refused:
        propose(p.database)
    assert "all.sql:1" in str(refused.value)

    p.declare(
        "create table t (\n  id int primary key,\n  -- reconciler: fill id * 10\n  size int not null\n);"
    )
    apply(p.database)
    assert p.sql("select id, size from t order by 1") == [(1, 10), (2, 20)]


def test_a_not_null_column_on_an_empty_table_needs_none(project: Make) -> None:
    p = project(
        "create table t (id int primary key, size int not null);", live="create table t (id int primary key)"
    )
    apply(p.database)
    assert drift(p.database).changes == ()


def test_renames_keep_the_rows_and_the_names_made_from_the_old_one(project: Make) -> None:
    p = project(
        """
        -- reconciler: renamed_from people
        create table persons (
          id bigserial primary key,
          full_name text not null, -- reconciler: renamed_from name
          unique (full_name)
        );
        """,
        live="create table people (id bigserial primary key, name text not null, unique (name));"
        " insert into people (name) values ('Ada'), ('Grace')",
    )
    proposed = propose(p.database)
    assert proposed.rehearsal is not None
    assert proposed.rehearsal.residue == ()
    assert HazardCode.DELETES_DATA not in {hazard.code for hazard in proposed.plan.hazards}
    apply(p.database)
    assert p.sql("select full_name from persons order by id") == [("Ada",), ("Grace",)]
    assert drift(p.database).changes == ()
    rollback(p.database, allow={"all"})
    assert p.sql("select name from people order by id") == [("Ada",), ("Grace",)]


def test_a_rename_is_refused_when_both_names_exist(project: Make) -> None:
    p = project(
        "-- reconciler: renamed_from people\ncreate table persons (id int);",
        live="create table people (id int); create table persons (id int)",
    )
    # both exist and the new one is as declared: the hint is not looked at until something has to change
    p.sql("alter table persons add column more int")
    with pytest.raises(Stalled, match="both exist") as refused:
        propose(p.database)
    assert "all.sql:" in str(refused.value)


MOODS = "create table t (id int primary key, m mood not null default 'ok', past mood[]);"


def test_a_removed_enum_value_that_a_row_holds_needs_a_successor(project: Make) -> None:
    p = project(
        f"create type mood as enum ('ok', 'happy'); {MOODS}",
        live=f"create type mood as enum ('sad', 'ok', 'happy'); {MOODS}"
        "insert into t values (1, 'sad', '{sad,happy}'), (2, 'happy', null)",
    )
    with pytest.raises(
        Stalled, match=r"1 row of public.t holds a value in m that public.mood would lose: 'sad'"
    ) as refused:
        propose(p.database)
    assert "becomes" in refused.value.hint and refused.value.sources[0].line == 1

    p.declare(f"-- reconciler: value 'sad' becomes 'ok'\ncreate type mood as enum ('ok', 'happy'); {MOODS}")
    proposed = propose(p.database)
    assert [h.code for h in proposed.plan.hazards if h.code is HazardCode.LOSSY_CAST]
    apply(p.database, allow={"all"})
    assert p.sql("select id, m::text, past::text from t order by id") == [
        (1, "ok", "{ok,happy}"),
        (2, "happy", None),
    ]
    assert drift(p.database).changes == ()
    rollback(p.database, allow={"all"})
    assert p.sql("select enum_range(null::mood)::text") == [("{sad,ok,happy}",)]


def test_a_new_enum_value_that_is_used_at_once_commits_first(project: Make) -> None:
    p = project(
        "create type mood as enum ('sad', 'ok', 'happy'); create table t (id int, m mood not null default 'happy');",
        live="create type mood as enum ('sad', 'ok'); create table t (id int, m mood not null default 'ok');"
        " insert into t values (1, 'sad')",
    )
    proposed = propose(p.database)
    alone = [s for s in proposed.plan.up if not s.transactional]
    assert [s.sql for s in alone] == ["alter type public.mood add value if not exists 'happy' after 'ok'"]
    (done,) = apply(p.database)
    assert done.steps == 2 and done.steps_done == 2
    assert drift(p.database).changes == ()


def test_a_new_enum_value_that_nothing_uses_commits_with_the_rest(project: Make) -> None:
    p = project(
        "create type mood as enum ('sad', 'ok', 'happy'); create view v as select 1 as one;",
        live="create type mood as enum ('sad', 'ok')",
    )
    (done,) = apply(p.database)
    assert done.steps == 1
    assert drift(p.database).changes == ()


def test_a_plan_goes_stale_when_somebody_changes_what_it_read(project: Make) -> None:
    p = project("create table t (id int, more text);", live="create table t (id int)")
    interfered = []

    def meanwhile(stage: str) -> None:
        if stage == "reup" and not interfered:
            interfered.append(p.sql("alter table t alter column id type bigint"))

    with pytest.raises(Waiting, match="changed since it was planned"):
        apply(p.database, told=meanwhile)
    assert interfered
    assert p.sql("select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'more'") == [
        (0,)
    ]


def test_a_change_elsewhere_does_not_make_a_plan_stale(project: Make) -> None:
    p = project("create table t (id int, more text);", live="create table t (id int)")
    apply(p.database, told=lambda stage: p.sql("create table if not exists elsewhere (id int)") and None)
    assert p.sql("select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'more'") == [
        (1,)
    ]


def test_an_edited_file_is_refused(project: Make) -> None:
    p = project("create table t (id int);")
    apply(p.database)
    path = p.folder / "schema" / "migrations" / p.migrations[0]
    path.write_text(
        path.read_text().replace('"id" integer', '"id" bigint').replace("id integer", "id bigint")
    )
    with pytest.raises(Stalled, match="edited after it was applied"):
        apply(p.database)


def test_a_file_from_elsewhere_is_rehearsed_here_and_must_lead_to_the_declarations(project: Make) -> None:
    p = project("create table t (id int primary key, a text);", live="create table t (id int primary key)")
    folder = p.folder / "schema" / "migrations"
    folder.mkdir()
    path = folder / "20260101000000_by_hand.sql"
    down = "\\quit\n-- DOWN\nalter table t drop column if exists a;\n"
    path.write_text(f"-- UP\nalter table t add column if not exists b text;\n{down}")
    with pytest.raises(Stalled, match=r"would not be as declared|rehearsal"):
        apply(p.database)
    assert p.sql("select count(*) from pg_attribute where attrelid = 't'::regclass and attnum > 0") == [(1,)]

    path.write_text(f"-- UP\nalter table t add column if not exists a text;\n{down}")
    (done,) = apply(p.database, allow={"DELETES_DATA"})
    assert done.version == "20260101000000"
    assert drift(p.database).changes == ()


def test_a_file_that_cannot_run_twice_is_refused(project: Make) -> None:
    p = project("create table t (id int primary key, a text);", live="create table t (id int primary key)")
    folder = p.folder / "schema" / "migrations"
    folder.mkdir()
    (folder / "20260101000000_by_hand.sql").write_text(
        "-- UP\nalter table t add column a text;\n\\quit\n-- DOWN\nalter table t drop column if exists a;\n"
    )
    with pytest.raises(Stalled, match="up_again"):
        apply(p.database)


def test_rollback_takes_back_one_and_then_all(project: Make) -> None:
    p = project("create table t (id int primary key);")
    apply(p.database)
    p.declare("create table t (id int primary key, a text); create view v as select a from t;")
    apply(p.database)
    (back,) = rollback(p.database, allow={"all"})
    assert back.direction == "down"
    assert p.sql("select to_regclass('v'), to_regclass('t') is not null") == [(None, True)]
    rollback(p.database, to="0", allow={"all"})
    assert p.sql("select to_regclass('t')") == [(None,)]
    assert rollback(p.database, to="0") == ()
    with pytest.raises(Stalled, match="nothing is applied"):
        rollback(p.database)


def test_a_rollback_that_was_interrupted_goes_on(project: Make) -> None:
    p = project(
        "create table t (id int primary key, a text); create index t_a on t (a);",
        live="create table t (id int primary key)",
    )
    folder = p.folder / "schema" / "migrations"
    folder.mkdir()
    (folder / "20260101000000_by_hand.sql").write_text(
        "-- UP\nbegin;\nalter table t add column if not exists a text;\ncreate index if not exists t_a on t (a);\ncommit;\n\\quit\n"
        "-- DOWN\nset lock_timeout = '2s';\ndrop index concurrently if exists t_a;\nbegin;\nalter table t drop column if exists a;\ncommit;\n"
    )
    apply(p.database, allow={"all"})
    (file,) = load_directory(folder)
    begun = 0

    def interrupted(inside: object) -> None:
        nonlocal begun
        begun += 1
        if begun == 2:
            raise Waiting("killed")

    with pytest.raises(Waiting, match="killed"):
        migrate_back(p.url, file, fence=interrupted)
    assert p.sql("select to_regclass('t_a'), count(*) from pg_attribute where attname = 'a'") == [(None, 1)]
    (back,) = rollback(p.database, allow={"all"})
    assert (back.steps_done, back.steps) == (2, 2)
    assert p.sql("select count(*) from pg_attribute where attname = 'a'") == [(0,)]


def test_owners_that_nobody_declared_are_no_drift(project: Make, role: str) -> None:
    p = project(
        "create table t (id int primary key, a text);",
        live="create table t (id int primary key)",
        shadow="auto",
    )
    p.sql(f"alter table t owner to {role}")
    apply(p.database)
    assert p.sql("select pg_get_userbyid(relowner) from pg_class where oid = 't'::regclass") == [(role,)]
    assert drift(p.database).changes == ()


def test_declarations_that_postgresql_rejects_name_file_and_line(project: Make) -> None:
    p = project("create table t (id int);\n\ncreate view v as\n  select nothing from t;\n")
    with pytest.raises(Stalled, match="nothing") as refused:
        propose(p.database)
    assert "all.sql:4" in str(refused.value)


def test_untrusted_declarations_have_no_superuser(project: Make) -> None:
    p = project(
        "create table t (id int);\ncreate function f() returns int language internal as 'now';", shadow="auto"
    )
    with pytest.raises(Stalled):
        propose(p.database, trust="untrusted")
    p.declare("create table t (id int primary key);")
    proposed = propose(p.database, trust="untrusted")
    assert proposed.rehearsal is not None and proposed.rehearsal.passed


def test_the_declared_state_is_remembered(project: Make) -> None:
    p = project(ORDERS)
    apply(p.database)
    stages: list[str] = []
    assert drift(p.database, told=stages.append).changes == ()
    assert "start the shadow" not in stages
    p.declare(ORDERS + "\n-- nothing new, but another file\n")
    p.sql("alter table orders no force row level security")
    (change,) = drift(p.database).changes
    assert change.attributes == ("force_rls",)


def test_what_the_applying_role_may_not_do_is_refused_with_the_missing_grant(
    project: Make, role: str, server: Server
) -> None:
    p = project("create table t (id int primary key, a text);", live="create table t (id int primary key)")
    p.sql(f"alter table t owner to {role}")
    with connect(server.url) as connection:
        connection.execute("drop role if exists reconciler_test_applier")
        connection.execute("create role reconciler_test_applier login password 'once'")
    applier = p.url.with_options(user="reconciler_test_applier", password=Secret("once"))
    weak = Project(p.folder, applier, {"shadow": "auto"})
    with pytest.raises(Stalled, match=r"must be owner of table t") as refused:
        apply(weak.database)
    assert f"grant {role} to reconciler_test_applier;" in str(refused.value)
    assert "once" not in str(refused.value)
    assert p.sql("select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'a'") == [
        (0,)
    ]
