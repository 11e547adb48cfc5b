"""`init`, `new`, `validate`: what they write loads, and nothing that exists is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Place, run, spawn

from reconciler.pg import connect

LIVE = """
create schema billing;
create type mood as enum ('sad', 'it''s ok');
create domain email as text constraint has_at check (value like '%@%');
create type address as (street text, "zip code" text);
create table accounts (
  id serial primary key,
  mood mood default 'sad',
  email email not null,
  number int generated always as identity,
  "Odd Name" text collate "C"
);
create table billing.bills (id bigint primary key, account_id int references accounts (id) on delete cascade, paid numeric(10, 2));
alter table accounts add column last_bill bigint references billing.bills (id);
comment on table accounts is 'two
    lines; with a semicolon -- and dashes';
create index on billing.bills (lower(paid::text)) where paid > 0;
create view open_bills with (security_barrier) as select b.id, a.email from accounts a join billing.bills b on b.account_id = a.id;
create materialized view totals as select count(*) as n from billing.bills;
create function twice(n int) returns int language plpgsql as $$
begin

    -- indented, with an empty line above
    return n * 2;
end $$;
create function helper() returns trigger language plpgsql as 'begin return new; end';
create trigger keep before update on accounts for each row execute function helper();
alter table accounts enable row level security;
alter table accounts force row level security;
create policy mine on accounts for select using (id = twice(1));
grant select (id, email), update (email) on accounts to public;
create table days (day date) partition by range (day);
create table days_2026 partition of days for values from ('2026-01-01') to ('2027-01-01');
alter default privileges grant select on tables to public;
create sequence tickets start 100;
create aggregate longest (text) (sfunc = textcat, stype = text);
"""


@pytest.fixture
def live(place: Place) -> Place:
    with connect(place.url) as connection:
        connection.execute(LIVE.encode())
    return place


def init(live: Place, folder: Path, *more: str) -> int:
    answer = run("init", str(folder), "--from", live.url.reveal(), "--shadow", live.shadow, *more)
    assert answer.code == 0, answer.out + answer.err
    return answer.code


def test_a_live_database_becomes_declarations_that_load_to_the_same(live: Place, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    init(live, folder)
    options = (
        "--url",
        live.url.reveal(),
        "--shadow",
        live.shadow,
        "--config",
        str(folder / "reconciler.yaml"),
    )
    assert run("drift", *options).code == 0
    tables = (folder / "schema" / "tables" / "accounts.sql").read_text()
    assert tables.startswith("create table public.accounts (\n")
    assert "do $" not in tables
    assert "if not exists" not in tables
    assert (folder / "schema" / "billing" / "tables" / "bills.sql").is_file()
    everything = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    password = live.url.password
    assert password is not None
    assert password.reveal() not in everything
    assert live.sql("select 1 from pg_namespace where nspname = 'reconciler'") == []


def test_a_baseline_makes_the_objects_ours(live: Place, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    init(live, folder, "--baseline")
    options = (
        "--url",
        live.url.reveal(),
        "--shadow",
        live.shadow,
        "--config",
        str(folder / "reconciler.yaml"),
    )
    assert "baseline" in run("history", *options).out
    assert run("status", *options).code == 0
    (folder / "schema" / "views" / "open_bills.sql").unlink()
    drifted = run("drift", *options)
    assert "view public.open_bills is not declared" in drifted.out
    assert "stays" not in drifted.out
    version = live.sql("select version from reconciler.migrations")[0][0]
    assert "create table if not exists public.accounts" in run("show", version, *options).out


def test_nothing_is_overwritten(live: Place, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert run("init", str(folder)).code == 0
    before = {file: file.read_text() for file in folder.rglob("*") if file.is_file()}
    again = run("init", str(folder))
    assert again.code == 2
    assert "exists already" in again.err
    assert run("init", str(folder), "--from", live.url.reveal()).code == 2
    assert {file: file.read_text() for file in folder.rglob("*") if file.is_file()} == before


def test_a_new_project_and_every_skeleton_load(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    run("init", str(folder))
    config = ("--config", str(folder / "reconciler.yaml"))
    assert run("validate", *config).code == 0
    (folder / "schema" / "schemas.yaml").write_text("schemas: {billing: {}}\n")
    skeletons = (
        ("table", "billing.invoices"), ("table", "currencies", "--no-tenant"),
        ("trigger", "notes", "stamp"),
        ("trigger", "billing.invoices", "log", "--timing", "after", "--events", "insert or delete", "--on-error", "log",
         "--invariant", "select id from billing.invoices where false", "--concurrency", "x", "--tenancy", "y"),
        ("policy", "notes", "nobody", "--for", "update"),
        ("policy", "billing.invoices", "own", "--for", "insert", "--with-check", "org_id is not null"),
    )  # fmt: skip
    for kind, *arguments in skeletons:
        written = run("new", kind, *arguments, *config, "--format", "json")
        assert written.code == 0, written.err
        assert Path(written.json["file"]).is_file()
        again = run("new", kind, *arguments, *config)
        assert again.code == 2
        assert "exists already" in again.err
    found = run("validate", *config, "--format", "json").json["databases"][0]
    assert found["triggers_designed"] == 2
    loaded = run(
        "diff", "empty", str(folder / "schema"), "--shadow", place.shadow, "--prove", "--format", "json"
    )
    assert loaded.code == 1, loaded.err
    assert loaded.json["proof"]["passed"]


def test_a_new_migration_parses_and_refuses_to_run_until_written(place: Place) -> None:
    written = place.run("new migration", "Backfill the numbers!", "--format", "json")
    assert written.code == 0, written.err
    assert written.json["file"].endswith("_backfill_the_numbers.sql")
    refused = place.run("apply --yes")
    assert refused.code == 3
    assert "is not written yet" in refused.err
    assert place.sql("select to_regclass('notes') is null") == [(True,)]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "a.b.c", "", "x;drop"])
def test_names_that_are_no_names_write_nothing(place: Place, name: str) -> None:
    before = sorted(place.folder.rglob("*"))
    assert place.run("new table", name).code == 2
    assert sorted(place.folder.rglob("*")) == before


def test_validate_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "a.sql").write_text("create table a (id int);")
    answer = spawn("validate", "--format", "json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert answer.json["databases"][0]["statements"] == 1
