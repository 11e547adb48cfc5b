"""A directory: which files count, the digest, the published schema, the roles named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.declare import Declarations, json_schema, read, read_sql, roles_named
from reconciler.errors import Usage


def write(folder: Path, files: dict[str, str]) -> Declarations:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read(folder, exclude=folder / "migrations")


def test_which_files_count(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        {
            "b/deep/one.SQL": "select 1;",
            "a.yml": "enums: {e: [x]}",
            "README.md": "not this",
            ".hidden.sql": "vacuum;",
            ".git/x.sql": "vacuum;",
            "migrations/1.sql": "vacuum;",
            "empty.yaml": "# nothing\n",
            "empty.sql": "",
        },
    )
    assert [Path(file.path).name for file in found.files if file.statements] == ["a.yml", "one.SQL"]


def test_a_missing_directory_and_a_binary_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no schema directory"):
        read(tmp_path / "nowhere")
    (tmp_path / "a.sql").write_bytes(b"select '\xff';")
    with pytest.raises(Usage, match=r"a.sql:1: this file is not UTF-8"):
        read(tmp_path)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"\xef\xbb\xbfselect\r\n1;")
    (statement,) = read(tmp_path).files[0].statements
    assert statement.sql == "select\n1"


BASE = {"a.sql": "create table t (a int);", "b.yaml": "tables: {u: {columns: {a: {type: int, fill: 1}}}}"}


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    first = write(tmp_path / "1", BASE).digest
    moved = {"z/9.sql": "-- a comment\n" + BASE["a.sql"], "0.yml": "# another\n" + BASE["b.yaml"]}
    assert write(tmp_path / "2", moved).digest == first


@pytest.mark.parametrize(
    "change",
    [
        {"a.sql": "create table t (a int4);"},
        {"b.yaml": "tables: {u: {columns: {a: {type: int, fill: 2}}}}"},
        {"b.yaml": "tables: {u: {columns: {a: {type: int, fill: 1, renamed_from: b}}}}"},
        {"c.sql": "select 1;"},
    ],
)
def test_every_change_of_content_changes_the_digest(tmp_path: Path, change: dict[str, str]) -> None:
    assert write(tmp_path / "1", BASE).digest != write(tmp_path / "2", {**BASE, **change}).digest


def test_two_objects_cannot_have_the_same_old_name(tmp_path: Path) -> None:
    with pytest.raises(Usage) as error:
        write(
            tmp_path,
            {
                "a.sql": "-- reconciler: renamed_from old\ncreate table one (a int);",
                "b.yaml": "tables:\n  two: {renamed_from: public.old}",
            },
        )
    said = str(error.value)
    assert "public.two and public.one both say they were renamed from public.old" in said
    assert f"{tmp_path}/b.yaml:2" in said
    assert f"{tmp_path}/a.sql:1" in said


def test_an_object_declared_in_two_files_is_named_with_both(tmp_path: Path) -> None:
    with pytest.raises(Usage) as error:
        write(tmp_path, {"a.yaml": "views: {v: select 1}", "b.yaml": "\nviews: {v: select 2}"})
    assert "view public.v is declared twice" in str(error.value)
    assert [str(source) for source in error.value.sources] == [f"{tmp_path}/b.yaml:2", f"{tmp_path}/a.yaml:1"]


def test_a_function_in_two_files_is_refused_and_an_overload_is_not(tmp_path: Path) -> None:
    body = "language sql as 'select 1';"
    with pytest.raises(Usage, match=r"function public.f\(integer\) is declared twice"):
        write(
            tmp_path / "1",
            {
                "a.sql": f"create or replace function f(a int) returns int {body}",
                "b.yaml": "functions: {f(integer): {returns: int, language: sql, body: select 2}}",
            },
        )
    write(
        tmp_path / "2",
        {
            "a.sql": f"create or replace function f(a int) returns int {body}",
            "b.sql": f"create function f(a text) returns int {body}",
            "c.sql": f"select set_config('search_path', 'other', false); create function f(a int) returns int {body}",
        },
    )


def test_the_roles_that_statements_name() -> None:
    sql = """
        grant select, update (a) on t to r1, "R 2" with grant option;
        revoke all on all tables in schema public from group r3, public;
        create policy p on t to r4, current_user using (a in (select b from c));
        alter table t owner to r5;
        alter default privileges for role r6, r7 in schema s grant select on tables to r8;
        create schema x authorization r9;
        grant r10 to r11;
        create user mapping for r12 server s;
        alter table t rename to not_a_role;
        create function f() returns int language sql as 'grant x to not_a_role_either';
    """
    expected = {f"r{n}" for n in range(1, 13)} - {"r2"} | {"R 2"}
    assert roles_named([read_sql(sql, "f.sql")]) == expected


def test_every_property_of_the_schema_says_what_it_means() -> None:
    def silent(node: Any, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for number, item in enumerate(node) for found in silent(item, f"{path}/{number}")]
        if not isinstance(node, dict):
            return []
        found = [
            f"{path}/{name}"
            for name, field in node.get("properties", {}).items()
            if not field.get("description")
        ]
        return found + [line for key, value in node.items() for line in silent(value, f"{path}/{key}")]

    schema = json_schema()
    assert silent(schema, "") == []
    assert {"Table", "Column", "Trigger", "Policy", "OneTable"} <= set(schema["$defs"])
    assert schema["$defs"]["Column"]["anyOf"][0]["type"] == "string"
