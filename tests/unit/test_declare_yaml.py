"""YAML declarations: what they become, and how a mistake in them is told."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from reconciler.declare import Budget, Declarations, DeclaredStatement, Invariant, Rename, read
from reconciler.errors import Source, Usage
from reconciler.model import ObjectId


def declared(folder: Path, yaml: str) -> Declarations:
    (folder / "a.yaml").write_text(dedent(yaml))
    return read(folder)


def statements(found: Declarations) -> list[DeclaredStatement]:
    return [statement for file in found.files for statement in file.statements]


def sql(found: Declarations) -> list[str]:
    return [" ".join(statement.sql.split()) for statement in statements(found)]


def faults(folder: Path, yaml: str) -> list[str]:
    with pytest.raises(Usage) as error:
        declared(folder, yaml)
    lines = str(error.value).split("\n  → ")[0].splitlines()
    return [line.removeprefix(f"{folder}/a.yaml:") for line in lines]


def test_a_column_is_a_type_or_keys(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """
        tables:
          orgs:
            columns:
              id: uuid primary key
              name: {type: text, nullable: false, default: "''"}
              n: {type: numeric, default: 1.10}
              on: {type: bool, default: true}
              Mixed: int
        """,
    )
    assert sql(found) == [
        "create table public.orgs ( id uuid primary key, name text default '' not null, n numeric default 1.10,"
        ' "on" bool default true, "Mixed" int )'
    ]


def test_foreign_keys_are_statements_of_their_own(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """
        schema: app
        tables:
          a: {columns: {b: {type: int, references: b (id) on delete cascade}}}
          other.b: {columns: {id: int primary key}, foreign_keys: [{columns: [id], references: a (b), name: back}]}
        """,
    )
    assert sql(found) == [
        "set search_path = app, public",
        "create table app.a ( b int )",
        "create table other.b ( id int primary key )",
        "alter table app.a add foreign key (b) references b (id) on delete cascade",
        "alter table other.b add constraint back foreign key (id) references a (b) on delete no action on update no action",
    ]


def test_every_line_of_the_sql_knows_its_line_of_the_yaml(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """\
        # a comment
        views:
          v:
            security_invoker: true
            query: |
              select 1 as a,
                nonsense
              from t
        tables:
          t:
            comment: x
            columns:

              a: int
              b:
                nullable: false
                type: nonsense
            checks:
              positive: >
                a > 0
        functions:
          f(): {returns: int, body: "begin return 1; end"}
        """,
    )
    table, function, view, comment = statements(found)
    assert [table.at(table.sql.index(word)).line for word in ("create", "a int", "nonsense", "a > 0")] == [
        10,
        14,
        17,
        20,
    ]
    assert [view.at(view.sql.index(word)).line for word in ("create", "select", "nonsense", "from t")] == [
        3,
        6,
        7,
        8,
    ]
    assert (view.source.line, function.source.line, comment.source.line) == (3, 22, 11)


def test_hints(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """
        schema: app
        tables:
          t:
            renamed_from: old.name
            columns:
              a: {type: int, renamed_from: A, fill: 0, down: null}
              b: {type: int, down: a + 1}
            triggers:
              g:
                timing: before
                events: [insert]
                function: f()
                invariants: {none: select 1 where false}
                on_error: log
                concurrency: None.
                budget: {single: 5%}
        """,
    )
    path = f"{tmp_path}/a.yaml"
    a, b = (ObjectId("column", "app", "t", name) for name in "ab")
    assert found.renames == (
        Rename("table", ObjectId("table", "old", "name"), ObjectId("table", "app", "t"), Source(path, 5)),
        Rename("column", ObjectId("column", "app", "t", "A"), a, Source(path, 7)),
    )
    assert (found.fills, found.downs) == ({a: "0"}, {b: "a + 1"})
    (design,) = found.designs
    assert design.trigger == ObjectId("trigger", "app", "t", "g")
    assert design.invariants == (Invariant("none", "select 1 where false"),)
    assert (design.on_error, design.concurrency, design.tenancy) == ("log", "None.", "")
    assert design.budget == Budget(0.05)
    assert found.places[b] == Source(path, 8)
    assert found.places[ObjectId("trigger", "app", "t", "g")] == Source(path, 10)


def test_one_object_per_document(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """\
        table: t
        schema: app
        columns:
          a: int
        ---
        function: f(a int)
        returns: int
        language: sql
        body: |
          select
            a
        ---
        # nothing
        ---
        materialized_view: m
        query: select 1
        """,
    )
    assert sql(found)[1:] == [
        "create table app.t ( a int )",
        "create or replace function public.f(a int) returns int language sql security invoker as $$ select a $$",
        "create materialized view public.m as select 1",
    ]
    _, table, function, _ = statements(found)
    assert (table.source.line, table.at(table.sql.index("a int")).line) == (1, 4)
    assert (function.source.line, function.at(function.sql.rindex("a")).line) == (6, 11)


def test_a_body_is_quoted_so_that_nothing_in_it_ends_it(tmp_path: Path) -> None:
    found = declared(
        tmp_path, "functions: {f: {returns: text, language: sql, body: 'select $$a$$ || $body$b$body$'}}"
    )
    assert "as $body1$select $$a$$ || $body$b$body$$body1$" in sql(found)[0]


def test_defaults_of_arguments_are_left_out_of_grants(tmp_path: Path) -> None:
    yaml = "functions: {'f(a text default ''x, y'', inout b numeric(3, 1) = 0)': {language: sql, body: select 1, revokes: {public: all}}}"
    assert (
        sql(declared(tmp_path, yaml))[1]
        == "revoke all on function public.f(a text, inout b numeric(3, 1)) from public"
    )


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("tabels: {}", ["1: tabels: unknown key, did you mean tables?"]),
        (
            "tables:\n  t:\n    columns:\n      a: {typ: int, nulable: false}\n    rls: force\n    polices: {}\n",
            [
                "4: tables.t.columns.a: type is missing",
                "4: tables.t.columns.a.typ: unknown key, did you mean type?",
                "4: tables.t.columns.a.nulable: unknown key, did you mean nullable?",
                "5: tables.t.rls: force is not one of 'disabled', 'enabled' or 'forced', did you mean forced?",
                "6: tables.t.polices: unknown key, did you mean policies?",
            ],
        ),
        (
            "tables:\n  t:\n    unique: [a, b]",
            [
                "3: tables.t.unique.0: this must be a list: [a]",
                "3: tables.t.unique.1: this must be a list: [b]",
            ],
        ),
        (
            "tables:\n  t: {columns: {a: int}, partition: {of: p, bounds: default}}",
            ["2: tables.t: a partition has the columns of its parent and declares none of its own"],
        ),
        ("tables:\n  t:\n    unique: [[a], 3]", ["3: tables.t.unique.1: this must be a mapping, key: value"]),
        (
            "tables:\n  t:\n    columns:\n      a: 3",
            ["4: tables.t.columns.a: this must be text; put it in quotes"],
        ),
        ("enums:\n  e:\n    - a\n    - 1", ["4: enums.e.1: this must be text; put it in quotes"]),
        (
            "tables:\n  a.b.c: {}",
            ["2: tables.a.b.c: 'a.b.c' has too many dots: schema.name is the most a name can say"],
        ),
        ("tables:\n  t:\n    grants:\n      r: []", ["4: tables.t.grants.r: this must not be empty"]),
        (
            "functions:\n  f(a:\n    body: x",
            ["2: functions.f(a: 'f(a' is not a name with arguments: name(a uuid, b text)"],
        ),
        (
            "sequences:\n  s:\n    owned_by: t",
            ["3: sequences.s.owned_by: 't' is not a column: table.column or schema.table.column"],
        ),
        ("table: t\ncolumns: {}\ntrigers: {}", ["3: trigers: unknown key, did you mean triggers?"]),
        ("- a", ["1: a declaration is a mapping: tables:, functions:, views: …"]),
        ("a: 1\nb: [", ["2: this is not YAML: expected the node content, but found '<stream end>'"]),
        ("tables:\n  t: {}\n  u: {}\n  t: {}", ["4: t is written twice here"]),
        ("tables: {t: {columns: {? [a] : int}}}", ["1: a key must be a plain name"]),
        ("tables: {t: {comment: !secret x}}", ["1: the tag !secret is not supported"]),
        ("table: t\n---\ntable: t\n", ["3: table public.t is declared twice", "  also: "]),
    ],
)
def test_every_fault_has_its_line(tmp_path: Path, yaml: str, expected: list[str]) -> None:
    found = faults(tmp_path, yaml)
    assert [line.split(str(tmp_path))[0] for line in found] == expected


def test_aliases_cannot_multiply_without_end(tmp_path: Path) -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too large" in faults(tmp_path, "\n".join(lines))[0]


def test_anchors_and_merges_serve_to_repeat_oneself(tmp_path: Path) -> None:
    found = declared(
        tmp_path,
        """
        tables:
          a: &common
            columns: {id: int}
            rls: forced
          b:
            <<: *common
            rls: enabled
        """,
    )
    assert sql(found) == [
        "create table public.a ( id int )",
        "create table public.b ( id int )",
        "alter table public.a enable row level security",
        "alter table public.a force row level security",
        "alter table public.b enable row level security",
    ]
