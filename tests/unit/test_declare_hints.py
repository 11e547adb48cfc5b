"""`-- reconciler:` comments in SQL files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.declare import Declarations, Invariant, Rename, TriggerDesign, read
from reconciler.errors import Source, Usage
from reconciler.model import ObjectId


def declared(folder: Path, sql: str) -> Declarations:
    (folder / "a.sql").write_text(sql)
    return read(folder)


def column(name: str, table: str = "t", schema: str = "public") -> ObjectId:
    return ObjectId("column", schema, table, name)


def test_a_table_rename(tmp_path: Path) -> None:
    found = declared(
        tmp_path, "-- about it\n-- reconciler: renamed_from clients\ncreate table customers (a int);"
    )
    at = Source(f"{tmp_path}/a.sql", 2)
    old, new = ObjectId("table", "public", "clients"), ObjectId("table", "public", "customers")
    assert found.renames == (Rename("table", old, new, at),)


def test_a_rename_says_schemas_as_sql_does(tmp_path: Path) -> None:
    sql = """
        set search_path = billing, public;
        -- reconciler: renamed_from "Old".Clients
        create table if not exists customers (a int);
        -- reconciler: renamed_from "Bills"
        create unlogged table money.invoices (a int);
    """
    first, second = declared(tmp_path, sql).renames
    assert (first.old, first.new) == (
        ObjectId("table", "Old", "clients"),
        ObjectId("table", "billing", "customers"),
    )
    assert (second.old, second.new) == (
        ObjectId("table", "money", "Bills"),
        ObjectId("table", "money", "invoices"),
    )


def test_hints_find_the_column_they_stand_beside_or_above(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """create table t (
  a int, -- reconciler: fill 1
  -- reconciler: fill 2
  b numeric(10, 2) default 0
    not null, -- reconciler: down 22
  c int, d int, -- reconciler: fill coalesce(a, 4)
  -- reconciler: down null
  -- reconciler: renamed_from "E old"
  e text check (e in ('x', 'y')) -- reconciler: fill 'it''s; -- fine'
);""",
    )
    assert found.fills == {
        column("a"): "1",
        column("b"): "2",
        column("d"): "coalesce(a, 4)",
        column("e"): "'it''s; -- fine'",
    }
    assert found.downs == {column("b"): "22", column("e"): "null"}
    assert [(r.old, r.new) for r in found.renames] == [(column("E old"), column("e"))]


def test_a_column_added_by_alter_table_takes_hints_too(tmp_path: Path) -> None:
    found = declared(
        tmp_path, "create table t (a int);\n-- reconciler: fill 7\nalter table t add column b int not null;"
    )
    assert found.fills == {column("b"): "7"}


def test_a_trigger_design(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """
-- Keeps names tidy.
-- reconciler: invariant tidy names: select id from t
--     where name <> trim(name)
--     order by id;
-- reconciler: invariant other: select 1 where false
-- reconciler: on_error queue
-- reconciler: concurrency Touches its own row only.
-- reconciler: tenancy Same row, same tenant.
create constraint trigger "Tidy" after insert on app.t deferrable for each row execute function f();
""",
    )
    assert found.designs == (
        TriggerDesign(
            ObjectId("trigger", "app", "t", "Tidy"),
            (
                Invariant("tidy names", "select id from t\nwhere name <> trim(name)\norder by id"),
                Invariant("other", "select 1 where false"),
            ),
            "queue",
            "Touches its own row only.",
            "Same row, same tenant.",
            Source(f"{tmp_path}/a.sql", 10),
        ),
    )


@pytest.mark.parametrize(
    ("sql", "line", "says"),
    [
        ("-- reconciler: rename_from x\ncreate table t (a int);", 1, "did you mean renamed_from?"),
        ("-- reconciler:\ncreate table t (a int);", 1, "not a hint"),
        ("-- reconciler: renamed_from x\ncreate view v as select 1;", 1, "means nothing here"),
        ("-- reconciler: renamed_from x\nselect 1;", 1, "means nothing here"),
        ("-- reconciler: fill 1\ncreate table t (a int);", 1, "means nothing here"),
        ("-- reconciler: on_error raise\ncreate table t (a int);", 1, "means nothing here"),
        ("create table t (\n  -- reconciler: fill 1\n  unique (a), a int);", 2, "means nothing here"),
        ("create table t ( -- reconciler: renamed_from x\n  a int);", 1, "means nothing here"),
        ("create table t (\n  a int\n  -- reconciler: fill\n);", 3, "needs a SQL expression"),
        ("create table t (a int\n -- reconciler: on_error raise\n);", 2, "means nothing here"),
        ("-- reconciler: renamed_from a.b.c\ncreate table t (a int);", 1, "needs the old name"),
        ("-- reconciler: renamed_from\ncreate table t (a int);", 1, "needs the old name"),
        (
            "-- reconciler: invariant x\ncreate trigger t after insert on t execute function f();",
            1,
            "needs a name",
        ),
        (
            "-- reconciler: on_error rais\ncreate trigger t after insert on t execute function f();",
            1,
            "mean raise?",
        ),
        ("create table t (a int); -- reconciler: renamed_from x\nselect 1;", 1, "stands behind"),
        ("create table t (a int);\n\n-- reconciler: renamed_from x\n", 3, "stands behind"),
    ],
)
def test_a_hint_that_nothing_can_take_is_refused(tmp_path: Path, sql: str, line: int, says: str) -> None:
    with pytest.raises(Usage) as error:
        declared(tmp_path, sql)
    assert says in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/a.sql:{line}: ")


def test_places_of_what_sql_declares(tmp_path: Path) -> None:
    sql = """create schema s;
create table s."T" (id int primary key,
  b text);
create or replace function s.f(a int, b varchar(3) default 'x', variadic c text[]) returns int language sql as 'select 1';
create materialized view m as select 1;
create unique index concurrently if not exists i on s."T" (b);
create policy "p q" on only s."T" using (true);
create type e as enum ('a');
create temp table hidden (a int);
create rule r as on insert to s."T" do instead nothing;
create event trigger et on ddl_command_end execute function f();
"""
    places = {id: source.line for id, source in declared(tmp_path, sql).places.items()}
    assert places == {
        ObjectId("schema", "", "s"): 1,
        ObjectId("table", "s", "T"): 2,
        ObjectId("column", "s", "T", "id"): 2,
        ObjectId("column", "s", "T", "b"): 3,
        ObjectId("function", "s", "f", "(integer, character varying, text[])"): 4,
        ObjectId("materialized_view", "public", "m"): 5,
        ObjectId("index", "s", "i"): 6,
        ObjectId("policy", "s", "T", "p q"): 7,
        ObjectId("enum", "public", "e"): 8,
        ObjectId("rule", "s", "T", "r"): 10,
        ObjectId("event_trigger", "", "et"): 11,
    }
