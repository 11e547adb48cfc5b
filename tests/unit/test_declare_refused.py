"""What no declaration may hold, and what only a script may."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.declare import read, read_sql
from reconciler.errors import Usage


@pytest.mark.parametrize(
    "sql",
    [
        "alter system set work_mem = '1GB'",
        "create database x",
        "drop database x",
        "alter database x set work_mem = '1GB'",
        "create tablespace x location '/x'",
        "drop tablespace x",
        "copy t from program 'id'",
        "copy t to program 'id'",
        "copy (select 1) to '/x'",
        "copy t from '/x'",
        "copy t from $$/x$$",
        "copy t to stdout",
        "load '$libdir/x'",
        "set session authorization postgres",
        "set local session authorization default",
        "reset session authorization",
        "discard all",
        "select set_config('role', 'postgres', true)",
        "select pg_catalog . set_config ( 'Role', 'postgres', true)",
        "rollback",
        "abort",
        "savepoint a",
        "prepare transaction 'x'",
        "vacuum",
        "checkpoint",
        "create subscription s connection 'host=x' publication p",
        "set standard_conforming_strings = off",
        "set standard_conforming_strings to 'off'",
        "grant connect on database postgres to public",
        "grant set on parameter work_mem to public",
        "comment on database postgres is 'x'",
        "comment on role postgres is 'x'",
        "security label on tablespace x is 'x'",
    ],
)
def test_reaching_beyond_the_database_is_refused(sql: str) -> None:
    with pytest.raises(Usage) as error:
        read_sql(f"select 1;\n/* hidden */ {sql};", "f.sql")
    assert str(error.value).startswith("f.sql:2: ")
    assert "refused" in str(error.value)


@pytest.mark.parametrize(
    "sql",
    [
        "copy t from stdin;\n\\.",
        "create subscription s connection 'host=x' publication p with (connect = false, slot_name = none)",
        "set standard_conforming_strings = on",
        "set search_path = ''",
        "select set_config('search_path', '', false)",
        "alter table t owner to postgres",
        "grant select on t to public",
        "grant a to b",
        "comment on table role is 'x'",
        "insert into t values (1)",
        "create role r",
        "alter default privileges grant select on tables to public",
    ],
)
def test_a_script_may_hold_the_rest(sql: str) -> None:
    assert len(read_sql(sql, "f.sql").statements) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t values (1)",
        "update t set a = 1",
        "delete from t",
        "merge into t using u on true when matched then delete",
        "truncate t",
        "copy t from stdin;\n\\.",
        "with a as (select 1) insert into t select * from a",
        "create role r",
        "drop user r",
        "set role postgres",
        "SET LOCAL ROLE postgres",
        "set session role postgres",
        "reset role",
    ],
)
def test_a_directory_holds_no_rows_no_roles_and_no_change_of_role(tmp_path: Path, sql: str) -> None:
    (tmp_path / "a.sql").write_text(f"create table t (a int);\n{sql};")
    with pytest.raises(Usage) as error:
        read(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/a.sql:2: ")


def test_all_refused_statements_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("vacuum;\ncreate table t (a int);\nload 'x';")
    (tmp_path / "b.yaml").write_text("grants: [connect on database x to y]\ntabels: {}")
    (tmp_path / "c.yaml").write_text("sql: |\n  create table u (a int);\n  drop database x;")
    with pytest.raises(Usage) as error:
        read(tmp_path)
    lines = [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in str(error.value).splitlines()[:4]]
    assert lines == ["a.sql:1", "a.sql:3", "b.yaml:2", "c.yaml:3"]


@pytest.mark.parametrize(
    "yaml",
    [
        "tables: {t: {columns: {a: int}, policies: {p: {using: 'true); alter system set a = 1; select (1'}}}}",
        "views: {v: 'select 1; drop database x'}",
        "tables: {t: {columns: {a: 'int, b int)'}}}",
        'tables: {t: {columns: {a: {type: int, default: "\'open"}}}}',
    ],
)
def test_a_fragment_cannot_leave_its_statement(tmp_path: Path, yaml: str) -> None:
    (tmp_path / "a.yaml").write_text(yaml)
    with pytest.raises(Usage):
        read(tmp_path)
