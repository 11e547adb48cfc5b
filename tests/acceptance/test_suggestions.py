"""What looks like a rename is said, and what does not is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.catalog import snapshot
from reconciler.catalog.compare import compare
from reconciler.errors import Source
from reconciler.model import ObjectId, Suggestion
from reconciler.pg import Url, connect
from reconciler.plan.suggest import suggested, told

Database = Callable[..., Url]

ALIKE = {
    "a column with a like name": (
        "create table t (id int, name text not null, email text)",
        "create table t (id int, full_name text not null, email text)",
        ["column public.t.full_name ← public.t.name"],
    ),
    "a column in the same place": (
        "create table t (id int, a uuid, z int)",
        "create table t (id int, tenant uuid, z int)",
        ["column public.t.tenant ← public.t.a"],
    ),
    "two columns, each to its like": (
        "create table t (first_name text, last_name text, id int)",
        "create table t (given_name text, family_name text, id int)",
        ["column public.t.family_name ← public.t.last_name", "column public.t.given_name ← public.t.first_name"],
    ),
    "a table with its columns": (
        "create table people (id int primary key, name text, born date)",
        "create table persons (id int primary key, name text, born date, died date)",
        ["table public.persons ← public.people"],
    ),
    "a schema with its tables": (
        "create schema a; create table a.t (id int); create table a.u (id int)",
        "create schema b; create table b.t (id int); create table b.u (id int)",
        ["schema b ← a"],
    ),
    "an enum value": (
        "create type mood as enum ('sad', 'ok', 'happy')",
        "create type mood as enum ('sad', 'fine', 'happy')",
        ["enum_value public.mood.fine ← public.mood.ok"],
    ),
    "an attribute": (
        "create type a as (street text, town text)",
        "create type a as (street text, city text)",
        ["attribute public.a.city ← public.a.town"],
    ),
    "everything that is equal but for its name": (
        "create table t (id int, constraint positive check (id > 0)); create index i on t (id); alter table t enable row level"
        " security; create policy own on t using (id > 1); create function f() returns trigger language plpgsql as"
        " 'begin return new; end'; create trigger g before insert on t for each row execute function f();"
        " create view v as select id from t where id > 7; create function h(n int) returns int language sql as 'select n * 3';"
        " create domain d as text constraint c check (length(value) > 3); create type e as enum ('x', 'y');"
        " create materialized view m as select id from t where id > 8; create sequence invoice_numbers increment 5",
        "create table t (id int, constraint above_zero check (id > 0)); create index j on t (id); alter table t enable row level"
        " security; create policy mine on t using (id > 1); create function f() returns trigger language plpgsql as"
        " 'begin return new; end'; create trigger k before insert on t for each row execute function f();"
        " create view w as select id from t where id > 7; create function thrice(n int) returns int language sql as 'select n * 3';"
        " create domain d as text constraint long check (length(value) > 3); create type z as enum ('x', 'y');"
        " create materialized view o as select id from t where id > 8; create sequence invoices_number increment 5",
        [
            "constraint public.t.above_zero ← public.t.positive", "domain_constraint public.d.long ← public.d.c",
            "enum public.z ← public.e", "function public.thrice(integer) ← public.h(integer)", "index public.j ← public.i",
            "materialized_view public.o ← public.m", "policy public.t.mine ← public.t.own",
            "sequence public.invoices_number ← public.invoice_numbers", "trigger public.t.k ← public.t.g",
            "view public.w ← public.v",
        ],
    ),
}  # fmt: skip

UNLIKE = {
    "another type": ("create table t (id int, name text)", "create table t (id int, name_length int)"),
    "another place and another name": (
        "create table t (junk text, id int, z int)",
        "create table t (id int, z int, summary text)",
    ),
    "two equally like": (
        "create table t (id int, a text, z int)",
        "create table t (id int, x text, y text, z int)",
    ),
    "tables with little in common": (
        "create table a (id int, name text, born date)",
        "create table b (id int, total numeric, paid boolean)",
    ),
    "a view that says something else": (
        "create view v as select 1 as one",
        "create view w as select 2 as two",
    ),
    "sequences by chance": ("create sequence bills", "create sequence people"),
    "values in other places": (
        "create type mood as enum ('sad', 'ok', 'happy')",
        "create type mood as enum ('sad', 'happy', 'unclear')",
    ),
    "a value that only goes": ("create type mood as enum ('sad', 'ok')", "create type mood as enum ('sad')"),
    "parts of what goes": ("create table a (id int, check (id > 0))", "create view b as select 7 as seven"),
}


def both(database: Database, old: str, new: str) -> tuple[Suggestion, ...]:
    sides = []
    for sql in (old, new):
        with connect(database()) as session:
            session.execute(sql.encode())
            sides.append(snapshot.read(session))
    return suggested(sides[0], sides[1], compare(sides[0], sides[1]))


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_alike_is_suggested(database: Database, name: str) -> None:
    old, new, wanted = ALIKE[name]
    assert sorted(f"{s.new.kind} {s.new} ← {s.old}" for s in both(database, old, new)) == wanted


@pytest.mark.parametrize("name", UNLIKE)
def test_what_is_not_is_left_alone(database: Database, name: str) -> None:
    assert both(database, *UNLIKE[name]) == ()


def test_what_to_type_depends_on_where_it_is_declared() -> None:
    yaml, sql = Source("schema/a.yaml", 7), Source("schema/b.sql", 9)

    def hint(kind: str, part: str, place: Source, *, whole: str = "", old: str = "old name") -> str:
        new = ObjectId(kind, "public", "it", part)
        before = ObjectId(kind, "public", "it", old) if part else ObjectId(kind, "public", old)
        where = ObjectId(whole, "public", "it") if whole else new
        return told(Suggestion(before, new), {where: place}).hint

    assert hint("column", "new", yaml) == 'renamed_from: "old name"'
    assert hint("column", "new", yaml, old="past") == "renamed_from: past"
    assert hint("column", "new", sql) == '-- reconciler: renamed_from "old name"'
    assert hint("table", "", sql, old="past") == "-- reconciler: renamed_from past"
    assert hint("enum_value", "it's", yaml, whole="enum") == '{value: "it\'s", renamed_from: "old name"}'
    assert (
        hint("enum_value", "it's", sql, whole="enum")
        == "-- reconciler: value 'it''s' renamed_from 'old name'"
    )
    assert (
        hint("attribute", "a", sql, whole="composite") == '-- reconciler: attribute a renamed_from "old name"'
    )
    assert (
        hint("constraint", "k", sql, whole="table") == '-- reconciler: constraint k renamed_from "old name"'
    )
    assert hint("constraint", "k", sql) == '-- reconciler: renamed_from "old name"'
    nowhere = told(Suggestion(ObjectId("view", "public", "a"), ObjectId("view", "public", "b")), {})
    assert str(nowhere) == "view public.b looks like public.a renamed; to keep it declare: renamed_from: a"
