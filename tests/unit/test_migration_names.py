"""Names and the folder of migrations, and how a plan becomes a migration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Stalled, Usage
from reconciler.migrate import compose, in_form, load_directory, next_version, parse, render, slug_of, write
from reconciler.model import (
    Change,
    Hazard,
    HazardCode,
    LockTaken,
    Measured,
    Migration,
    ObjectId,
    Plan,
    Rehearsal,
    Statement,
)

NOW = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)
TABLE = ObjectId("table", "public", "invoices")


def column(name: str) -> ObjectId:
    return ObjectId("column", "public", "invoices", name)


def made(version: str = "20261123040000", slug: str = "x") -> Migration:
    return Migration(version, slug, (Statement("select 1", ""),), (Statement("select 2", ""),))


def test_versions_are_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert next_version(elsewhere, []) == "20261123040000"


def test_versions_grow_within_a_second_and_when_the_clock_goes_back() -> None:
    assert next_version(NOW, ["20261123035959"]) == "20261123040000"
    assert next_version(NOW, ["20261123040000"]) == "20261123040001"
    assert next_version(NOW, ["20271231235959", "20200101000000"]) == "20280101000000"


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ([Change("create", TABLE), Change("create", column("id"))], "create_invoices_table"),
        ([Change("alter", TABLE)], "alter_invoices_table"),
        ([Change("create", column("total"))], "create_column_on_invoices"),
        (
            [Change("alter", ObjectId("policy", "public", "invoices", p)) for p in "abcd"],
            "alter_policy_on_invoices_and_3_more",
        ),
        ([Change("drop", ObjectId("function", "public", "f", "(integer)"))], "drop_f_function"),
        (
            [Change("create", ObjectId("view", "public", "v")), Change("drop", TABLE)],
            "drop_invoices_table_and_1_more",
        ),
        (
            [Change("create", ObjectId("table", "public", "Größe der Ürümqi;--"))],
            "create_groe_der_urumqi_table",
        ),
        ([Change("create", ObjectId("table", "public", "表"))], "create_unnamed_table"),
        ([], "no_change"),
    ],
)
def test_slugs_say_what_changes(changes: list[Change], slug: str) -> None:
    assert slug_of(changes) == slug


@given(
    st.lists(
        st.builds(
            Change,
            st.sampled_from(["create", "alter", "drop"]),
            st.builds(
                ObjectId, st.sampled_from(["table", "policy"]), st.just("s"), st.text(min_size=1), st.text()
            ),
        ),
        max_size=5,
    )
)
def test_slugs_fit_into_a_file_name(changes: list[Change]) -> None:
    slug = slug_of(changes)
    assert len(slug) <= 60
    assert parse(render(made(slug=slug)), f"20261123040000_{slug}.sql").slug == slug


def test_a_folder_is_read_in_order_of_versions(tmp_path: Path) -> None:
    second, first = made("20261123040001", "a"), made("20261123040000", "b")
    for migration in (second, first):
        assert write(migration, tmp_path / "deep" / "er").name == migration.filename
    (tmp_path / "deep" / "er" / "README.md").write_text("not SQL")
    (tmp_path / "deep" / "er" / ".20261123040000_b.sql.swp").write_text("an editor's")
    assert load_directory(tmp_path / "deep" / "er") == (first, second)


def test_no_folder_has_no_migrations(tmp_path: Path) -> None:
    assert load_directory(tmp_path / "none") == ()


@pytest.mark.parametrize(
    "name", ["notes.sql", "20261123040000_x.sql.orig", "20261123040000_x.sql~", "2026_x.sql"]
)
def test_junk_with_sql_in_its_name_is_reported(tmp_path: Path, name: str) -> None:
    write(made(), tmp_path)
    (tmp_path / name).write_text("select 1")
    with pytest.raises(Usage, match="not the name of a migration") as caught:
        load_directory(tmp_path)
    assert caught.value.sources[0].file == str(tmp_path / name)


def test_two_files_with_one_version_are_refused(tmp_path: Path) -> None:
    write(made(slug="a"), tmp_path)
    (tmp_path / "20261123040000_b.sql").write_text(render(made(slug="b")))
    with pytest.raises(Usage, match="two migrations have the version 20261123040000") as caught:
        load_directory(tmp_path)
    assert len(caught.value.sources) == 2


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    path = write(made(), tmp_path)
    before = path.read_bytes()
    with pytest.raises(Stalled, match="exists already"):
        write(made(slug="y"), tmp_path)
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(path, before)]


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "20261123040000_x.sql").write_bytes(b"-- UP\nselect '\xe4';")
    with pytest.raises(Usage, match=r"not UTF-8 \(byte 15\)"):
        load_directory(tmp_path)


def test_carriage_returns_in_sql_survive_the_disk(tmp_path: Path) -> None:
    migration = Migration(
        "20261123040000", "x", (Statement("select 'a\r\nb'", ""),), (Statement("select 2", ""),)
    )
    write(migration, tmp_path)
    assert load_directory(tmp_path) == (migration,)


def test_statements_are_brought_into_form() -> None:
    found = in_form(
        [
            Statement("  drop policy p on t;\n create policy p on t ; ", "both", "migra"),
            Statement(";", "nothing"),
            Statement("-- why\ncreate table t ();", "one"),
        ]
    )
    assert [(one.sql, one.reason, one.source) for one in found] == [
        ("drop policy p on t", "both", "migra"),
        ("create policy p on t", "both", "migra"),
        ("create table t ()", "one", "catalog"),
    ]


def test_a_plan_becomes_a_migration_that_tells_its_evidence() -> None:
    hazard = Hazard(HazardCode.REWRITES_TABLE, "rewrites invoices")
    up = (Statement("alter table public.invoices add column total int;", "total", hazards=(hazard,)),)
    down = (Statement("alter table public.invoices drop column total", "back"),)
    plan = Plan("b", "a", (Change("create", column("total")),), up, down)
    locks = (LockTaken("public.invoices", "AccessExclusiveLock"),)
    rehearsal = Rehearsal(
        up=True, up_again=True, down=True, down_again=True, reup=True, rows_kept=True,
        measured_up=(Measured(locks, ("public.invoices",), (), 0.0123),), seconds=1.5,
    )  # fmt: skip
    migration = compose(
        plan,
        rehearsal,
        now=NOW,
        existing=["20261123040000"],
        versions={"reconciler": "1.0", "postgresql": "16.4"},
    )
    assert migration.filename == "20261123040001_create_column_on_invoices.sql"
    assert (migration.before, migration.after) == ("b", "a")
    assert migration.header == (
        ("reconciler", "1.0"),
        ("postgresql", "16.4"),
        ("form", "plain"),
        ("hazards", "REWRITES_TABLE"),
        ("rehearsed", "up, up again, down, down again, reup; rows kept; scope full; 1.50 s"),
        (
            "up 1",
            "0.012 s; AccessExclusiveLock on public.invoices (blocks SELECT, INSERT, UPDATE, DELETE, FK INSERT, VACUUM);"
            " rewrites public.invoices",
        ),
        ("up total", "0.012 s"),
    )
    assert parse(render(migration), migration.filename) == migration


def test_a_plan_without_a_way_back_says_so() -> None:
    plan = Plan("b", "a", (), (Statement("drop table t", ""),), ())
    migration = compose(plan, None, now=NOW)
    assert migration.up[0].hazards[0].code == HazardCode.IRREVERSIBLE
    assert ("rehearsed", "no") in migration.header
    assert parse(render(migration), migration.filename) == migration
