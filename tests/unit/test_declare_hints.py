"""`-- reconciler:` comments in SQL files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.declare import Budget, Declarations, Invariant, Rename, TriggerDesign, read
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


def test_every_kind_takes_a_rename_above_its_statement(tmp_path: Path) -> None:
    kinds = {
        "create schema s": ObjectId("schema", "", "s"),
        "create type s.e as enum ('a')": ObjectId("enum", "s", "e"),
        "create type s.c as (a int)": ObjectId("composite", "s", "c"),
        "create type s.r as range (subtype = int)": ObjectId("range", "s", "r"),
        "create domain s.d as text": ObjectId("domain", "s", "d"),
        "create sequence s.q": ObjectId("sequence", "s", "q"),
        "create view s.v as select 1": ObjectId("view", "s", "v"),
        "create materialized view s.m as select 1": ObjectId("materialized_view", "s", "m"),
        "create unique index i on s.t (a)": ObjectId("index", "s", "i"),
        "create or replace function s.f(a int) returns int language sql as ''": ObjectId(
            "function", "s", "f", "(integer)"
        ),
        "create procedure s.p() language sql as ''": ObjectId("procedure", "s", "p", "()"),
        "create aggregate s.a (text) (sfunc = textcat, stype = text)": ObjectId(
            "aggregate", "s", "a", "(text)"
        ),
        "create trigger g before insert on s.t execute function f()": ObjectId("trigger", "s", "t", "g"),
        "create policy p on s.t": ObjectId("policy", "s", "t", "p"),
        "create rule u as on insert to s.t do nothing": ObjectId("rule", "s", "t", "u"),
        "create statistics s.x on a, b from s.t": ObjectId("statistics", "s", "x"),
        "alter table only s.t add constraint k check (a > 0)": ObjectId("constraint", "s", "t", "k"),
        "alter domain s.d add constraint k check (value > 0)": ObjectId("domain_constraint", "s", "d", "k"),
        "create publication b": ObjectId("publication", "", "b"),
        "create event trigger e on ddl_command_end execute function f()": ObjectId("event_trigger", "", "e"),
        "create collation s.l (locale = 'C')": ObjectId("collation", "s", "l"),
        "create foreign table s.t (a int) server x": ObjectId("foreign_table", "s", "t"),
        "create foreign data wrapper w": ObjectId("foreign_data_wrapper", "", "w"),
        "create server z foreign data wrapper w": ObjectId("server", "", "z"),
        "create text search configuration s.c (copy = simple)": ObjectId(
            "text_search_configuration", "s", "c"
        ),
        "create operator class s.o for type int using btree as storage int": ObjectId(
            "operator_class", "s", "o", "btree"
        ),
    }
    for sql, new in kinds.items():
        (rename,) = declared(tmp_path, f"-- reconciler: renamed_from before\n{sql};").renames
        assert rename.new == new, sql
        assert (rename.kind, rename.old.kind, rename.old.schema) == (new.kind, new.kind, new.schema), sql
        part = new.kind in ("trigger", "policy", "rule", "constraint", "domain_constraint")
        assert rename.old == (new._replace(part="before") if part else new._replace(name="before")), sql


def test_parts_are_named_by_the_hint(tmp_path: Path) -> None:
    sql = """
-- reconciler: value 'it''s' renamed_from 'it is'
-- reconciler: renamed_from moods
create type s.mood as enum ('sad', 'it''s');
-- reconciler: attribute "Street" renamed_from road
create type s.address as ("Street" text);
-- reconciler: constraint brief renamed_from short
create domain s.mail as text constraint brief check (length(value) < 9);
-- reconciler: constraint pk renamed_from people_pkey
-- reconciler: column a renamed_from b
create table s.t (
  a int constraint pk primary key,
  -- reconciler: renamed_from positive
  constraint above_zero check (a > 0),
  constraint small check (a < 9) -- reconciler: renamed_from little
);
"""
    assert [(str(r.old), str(r.new)) for r in declared(tmp_path, sql).renames] == [
        ('s.mood."it is"', """s.mood."it's\""""),
        ("s.moods", "s.mood"),
        ("s.address.road", 's.address."Street"'),
        ("s.mail.short", "s.mail.brief"),
        ("s.t.positive", "s.t.above_zero"),
        ("s.t.little", "s.t.small"),
        ("s.t.people_pkey", "s.t.pk"),
        ("s.t.b", "s.t.a"),
    ]


YAML = """
schema: s
schemas: {s: {renamed_from: r}}
enums: {mood: {renamed_from: moods, values: [sad, {value: glad, renamed_from: happy}]}}
types: {address: {attributes: {street: {type: text, renamed_from: road}, city: text}}}
domains: {mail: {type: text, checks: {brief: {condition: length(value) < 9, renamed_from: short}}}}
sequences: {q: {renamed_from: old.q}}
tables:
  t:
    renamed_from: people
    columns: {a: {type: int, renamed_from: b, references: {to: t (a), name: self, renamed_from: me}}}
    primary_key: {columns: [a], name: pk, renamed_from: key}
    foreign_keys: [{columns: [a], references: t (a), name: again, renamed_from: once}]
    exclusions: {x: {elements: a with =, renamed_from: y}}
    policies: {own: {using: a > 0, renamed_from: mine}}
    triggers: {g: {timing: before, events: insert, function: f(), renamed_from: h}}
    rules: {r: {does: on delete to t do nothing, renamed_from: u}}
    statistics: {z: {columns: [a, b], renamed_from: zz}}
procedures: {p(n int): {body: begin end, renamed_from: pp}}
views: {v: {query: select 1, renamed_from: w}}
materialized_views: {m: {query: select 1 as a, renamed_from: n, indexes: {i: {columns: [a], renamed_from: j}}}}
"""


def test_yaml_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(YAML)
    found = read(tmp_path)
    assert {(r.kind, str(r.old), str(r.new)) for r in found.renames} == {
        ("schema", "r", "s"), ("enum", "s.moods", "s.mood"), ("enum_value", "s.mood.happy", "s.mood.glad"),
        ("attribute", "s.address.road", "s.address.street"), ("domain_constraint", "s.mail.short", "s.mail.brief"),
        ("sequence", "old.q", "s.q"), ("table", "s.people", "s.t"), ("column", "s.t.b", "s.t.a"),
        ("constraint", "s.t.me", "s.t.self"), ("constraint", "s.t.key", "s.t.pk"), ("constraint", "s.t.once", "s.t.again"),
        ("constraint", "s.t.y", "s.t.x"), ("policy", "s.t.mine", "s.t.own"), ("trigger", "s.t.h", "s.t.g"),
        ("rule", "s.t.u", "s.t.r"), ("statistics", "s.zz", "s.z"), ("procedure", "s.pp(integer)", "s.p(integer)"),
        ("view", "s.w", "s.v"), ("materialized_view", "s.n", "s.m"), ("index", "s.j", "s.i"),
    }  # fmt: skip
    assert {r.source.line for r in found.renames if r.kind == "table"} == {10}


def test_a_constraint_without_a_name_has_nothing_to_be_renamed_to(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "tables:\n  t:\n    columns: {a: int}\n    primary_key: {columns: [a], renamed_from: k}\n"
    )
    with pytest.raises(Usage, match="renamed_from needs name beside it") as error:
        read(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/a.yaml:4: ")


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
-- reconciler: budget single 12.5%, bulk 80%
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
            Source(f"{tmp_path}/a.sql", 11),
            Budget(0.125, 0.8),
        ),
    )


@pytest.mark.parametrize("said", ["single 10", "sngle 10%", "10%", "single -3%"])
def test_a_budget_is_a_share_for_a_size(tmp_path: Path, said: str) -> None:
    text = "create trigger g before insert on t for each row execute function f();"
    with pytest.raises(Usage, match="is no budget of a trigger") as refused:
        declared(tmp_path, f"-- reconciler: budget {said}\n{text}")
    assert refused.value.sources[0].line == 1


@pytest.mark.parametrize(
    ("sql", "line", "says"),
    [
        ("-- reconciler: rename_from x\ncreate table t (a int);", 1, "did you mean renamed_from?"),
        ("-- reconciler:\ncreate table t (a int);", 1, "not a hint"),
        ("-- reconciler: renamed_from x\ncreate extension v;", 1, "means nothing here"),
        ("-- reconciler: renamed_from x\nselect 1;", 1, "means nothing here"),
        ("-- reconciler: fill 1\ncreate table t (a int);", 1, "means nothing here"),
        (
            "-- reconciler: value 'a' renamed_from 'b'\ncreate table t (a int);",
            1,
            "above a create type … as enum",
        ),
        ("-- reconciler: value 'a'\ncreate type t as enum ('a');", 1, "value 'new' renamed_from 'old'"),
        (
            "-- reconciler: value 'a' renamed_from\ncreate type t as enum ('a');",
            1,
            "value a renamed_from 'old'",
        ),
        (
            "-- reconciler: constraint a renamd_from b\ncreate table t (a int);",
            1,
            "constraint new_name renamed_from old_name",
        ),
        ("-- reconciler: renamed_from a.b\ncreate schema s;", 1, "needs the old name"),
        ("-- reconciler: renamed_from s.b\ncreate policy p on t;", 1, "needs the old name"),
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


def test_what_a_removed_value_becomes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("enums: {mood: {values: [ok], becomes: {sad: ok}}}")
    (tmp_path / "b.sql").write_text(
        "-- reconciler: value 'it''s' becomes 'ok'\ncreate type s.mood as enum ('ok');"
    )
    assert read(tmp_path).fills == {
        ObjectId("enum_value", "public", "mood", "sad"): "ok",
        ObjectId("enum_value", "s", "mood", "it's"): "ok",
    }
    for text, said in (("{sad: fine}", "and fine is not a value"), ("{ok: ok}", "which is still a value")):
        (tmp_path / "a.yaml").write_text(f"enums: {{mood: {{values: [ok], becomes: {text}}}}}")
        with pytest.raises(Usage, match=said):
            read(tmp_path)


def test_what_a_removed_column_gets_when_the_migration_is_undone(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tables: {notes: {columns: {id: int}, down: {body: \"'none'\"}}}")
    (tmp_path / "b.sql").write_text(
        "-- reconciler: column \"Old one\" down lower('X')\n--    || '!'\ncreate table s.t (id int);"
    )
    found = read(tmp_path)
    assert found.downs == {
        ObjectId("column", "public", "notes", "body"): "'none'",
        ObjectId("column", "s", "t", "Old one"): "lower('X')\n|| '!'",
    }
    (tmp_path / "b.sql").write_text("-- reconciler: column a down\ncreate table s.t (id int);")
    with pytest.raises(Usage, match="down needs a SQL expression"):
        read(tmp_path)
