"""`explain` knows every hazard and every rule; `doctor` names what is missing, and its statements cure it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commands import Place, run

from reconciler.audit.rules import RULES
from reconciler.embedded import Server
from reconciler.engine.explain import EXPLANATIONS
from reconciler.model import HazardCode
from reconciler.pg import Url, connect, ident


def test_every_hazard_is_explained_once() -> None:
    assert [one.code for one in EXPLANATIONS] == list(HazardCode)


@pytest.mark.parametrize("code", list(HazardCode))
def test_an_explanation_answers_all_four_questions(code: HazardCode) -> None:
    said = run("explain", code.lower())
    assert said.code == 0
    for title in ("What it means", "Why it matters", "How to do it safely", "Example"):
        assert title in said.out
    found = run("explain", code, "--format", "json").json
    assert found["code"] == code
    assert all(len(found[key]) > 20 for key in ("means", "matters", "safely", "example"))


def test_all_codes_are_listed() -> None:
    listed = run("explain").out
    assert all(code in listed for code in (*HazardCode, *RULES))


def test_a_rule_is_explained_with_its_example() -> None:
    said = run("explain", "rls001")
    assert said.code == 0
    for title in (
        "When it speaks",
        "Why it matters",
        "What to do",
        "Elsewhere",
        "splinter 0013",
        "Bad",
        "Good",
    ):
        assert title in said.out
    found = run("explain", "RLS001", "--format", "json").json
    assert found["code"] == "RLS001"
    assert found["bad"].startswith("create table")


@pytest.fixture
def worker(server: Server, place: Place) -> Iterator[Url]:
    """A role that may log in, on a database where everything belongs to another one."""
    worker, owner = "reconciler_cli_worker", "reconciler_cli_owner"
    with connect(server.url) as admin:
        for role in (worker, owner):
            admin.execute(f"drop role if exists {role}")
        admin.execute(f"create role {owner}")
        admin.execute(f"create role {worker} login password 'w'")
        admin.execute(f"alter database {ident(place.url.database)} owner to {owner}")
        place.sql(f"create table theirs (id int); alter table theirs owner to {owner}")
        yield place.url.with_options(user=worker, password="w")
        admin.execute(f"alter database {ident(place.url.database)} owner to current_user")
        place.sql(f"drop owned by {owner}, {worker} cascade")
        admin.execute(f"drop role {worker}, {owner}")


def test_doctor_prints_the_grants_that_help(place: Place, worker: Url) -> None:
    place.declare("create table theirs (id int);")
    options = ("--url", worker.reveal(), "--schema-dir", str(place.schema), "--shadow", place.shadow)
    ill = run("doctor", *options, "--format", "json")
    assert ill.code == 1
    states = {check["name"]: check["state"] for check in ill.json["databases"][0]["checks"]}
    assert states["ownership"] == states["privileges"] == "missing"
    assert states["clock"] == states["pooler"] == states["shadow"] == "good"
    script = run("doctor", "--fix", *options)
    assert "grant reconciler_cli_owner to reconciler_cli_worker;" in script.out
    place.sql(script.out)
    well = run("doctor", *options)
    assert well.code == 0, well.out
    assert "✗" not in well.out


@pytest.mark.parametrize("mode", ["observe", "propose"])
def test_who_only_watches_needs_no_grants(
    place: Place, worker: Url, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.declare("create table theirs (id int);")
    options = ("--url", worker.reveal(), "--schema-dir", str(place.schema), "--shadow", place.shadow)
    monkeypatch.setenv("RECONCILER_DATABASES__0__MODE", mode)
    answer = run("doctor", *options)
    assert answer.code == 0 and f"enough for mode {mode}, not for an apply" in answer.out
    assert "grant" not in run("doctor", "--fix", *options).out


def test_doctor_names_a_missing_extension(place: Place) -> None:
    place.declare("create extension if not exists not_there_at_all;")
    answer = place.run("doctor")
    assert answer.code == 1
    assert "not_there_at_all" in answer.out
