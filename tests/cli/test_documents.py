"""The JSON documents scripts rely on, and the SQL scripts psql runs as they are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import DECLARED, Place, run

from reconciler.catalog import snapshot
from reconciler.embedded import Server
from reconciler.pg import Url, connect

WIDER = DECLARED.replace("line text not null", "line text not null,\n  pinned boolean not null default false")
STATEMENT = {
    "sql": str,
    "source": str,
    "transactional": bool,
    "hazards": list,
    "locks": list,
    "rewrites": list,
}
PROOF = {
    "passed": bool, "scope": str, "up": bool, "up_again": bool, "down": bool, "down_again": bool, "reup": bool, "residue": list,
}  # fmt: skip


def shaped(found: dict[str, Any], wanted: dict[str, type]) -> None:
    for key, kind in wanted.items():
        assert isinstance(found[key], kind), key


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    one, other = tmp_path / "one.sql", tmp_path / "other.sql"
    one.write_text(DECLARED)
    other.write_text(WIDER)
    return str(one), str(other)


def test_diff_has_the_promised_shape(place: Place, files: tuple[str, str]) -> None:
    answer = run("diff", *files, "--prove", "--format", "json", "--shadow", place.shadow)
    assert answer.code == 1, answer.err
    found = answer.json
    assert found["in_sync"] is False
    assert found["form"] == "plain"
    assert found["unmodelled"] == []
    assert {"verb": "create", "kind": "column", "id": "public.notes.pinned"}.items() <= found["changes"][
        0
    ].items()
    for direction in ("up", "down"):
        assert found[direction]
        for statement in found[direction]:
            shaped(statement, STATEMENT)
            assert statement["source"] in ("migra", "catalog")
            assert isinstance(statement["seconds"], float)
    locks = [lock for statement in found["up"] for lock in statement["locks"]]
    everybody = ["SELECT", "INSERT", "UPDATE", "DELETE", "FK INSERT", "VACUUM"]
    assert {"relation": "public.notes", "mode": "AccessExclusiveLock", "blocks": everybody} in locks
    assert any("DELETES_DATA" in statement["hazards"] for statement in found["down"])
    shaped(found["proof"], PROOF)
    assert found["proof"]["passed"]
    assert found["proof"]["rows_kept"] is True
    assert found["proof"]["seeded"] == ["public.notes"]
    assert found["share"]["migra"] + found["share"]["catalog"] == len(found["up"])


def test_diff_without_a_rehearsal_says_so(place: Place, files: tuple[str, str]) -> None:
    found = run("diff", *files, "--format", "json", "--shadow", place.shadow).json
    assert found["proof"] is None
    same = run("diff", files[0], files[0], "--format", "json", "--shadow", place.shadow)
    assert same.code == 0
    assert same.json["in_sync"] is True
    assert same.json["changes"] == same.json["up"] == same.json["down"] == []


def test_the_scripts_of_diff_lead_there_and_back(
    place: Place, files: tuple[str, str], database: Callable[..., Url], server: Server
) -> None:
    url = database()
    with connect(url) as connection:
        connection.execute(DECLARED.encode())
        before = snapshot.read(connection, depth="digests").fingerprint
    up = run("diff", *files, "--format", "sql", "--shadow", place.shadow)
    down = run("diff", *files, "--format", "sql", "--down", "--shadow", place.shadow)
    assert (up.code, down.code) == (1, 1)
    for script in (up.out, up.out):
        psql(server, url, script)
    difference = run("diff", url.reveal(), files[1], "--shadow", place.shadow, "--verbose")
    assert difference.code == 0, difference.out
    assert url.password is not None
    assert url.password.reveal() not in difference.out + difference.err
    for script in (down.out, down.out):
        psql(server, url, script)
    with connect(url) as connection:
        assert snapshot.read(connection, depth="digests").fingerprint == before


def psql(server: Server, url: Url, script: str) -> None:
    done = subprocess.run(
        [server.binaries.program("psql"), "--no-psqlrc", "--quiet", "--file=-"],
        env=url.environment(), input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_documents_of_a_database(place: Place, server: Server) -> None:
    planned = place.run("plan --format json").json
    shaped(planned["proof"], PROOF)
    assert planned["migration"]["files"] == [str(place.migrations[0])]
    done = place.run("apply --yes --format json").json
    assert [row["state"] for row in done["applied"]] == ["applied"]
    version = done["applied"][0]["version"]
    assert version == planned["migration"]["version"]
    assert place.run("plan --format json").json["migration"] is None

    rows = place.run("history --format json").json["history"]
    assert [(row["version"], row["direction"]) for row in rows] == [(version, "up")]
    shown = place.run("show --format json", version).json
    assert shown["up"]
    assert shown["applied"]["version"] == version

    place.sql("drop policy own_rows on notes; create table stray (id int)")
    drifted = place.run("drift --format json")
    assert drifted.code == 1
    assert [change["id"] for change in drifted.json["changes"]] == ["public.notes.own_rows"]
    assert drifted.json["extra"] == [{"kind": "table", "id": "public.stray"}]
    status = place.run("status --format json").json["databases"][0]
    assert status["ok"] is False
    conditions = {one["type"]: one["status"] for one in status["conditions"]}
    assert conditions["InSync"] == "False"
    assert conditions["ExtraObjects"] == "True"
    assert place.run("run --once --format json").json["databases"][0]["ok"] is False


def test_show_prints_what_was_applied_also_without_the_file(place: Place, server: Server) -> None:
    place.run("apply --yes")
    file = place.migrations[0]
    text = file.read_text()
    version = file.name[:14]
    assert place.run("show", version).out == text
    file.write_text(text.replace("create table", "CREATE TABLE"))
    edited = place.run("show", version)
    assert "CREATE TABLE" not in edited.out
    assert "was edited" in edited.err
    file.unlink()
    down = place.run("show", version[:10], "--down")
    assert down.code == 0
    assert "drop table" in down.out
    psql(server, place.url, down.out)
    assert place.sql("select to_regclass('notes') is null") == [(True,)]
    psql(server, place.url, place.run("show", version, "--up").out)
    assert place.sql("select to_regclass('notes') is not null") == [(True,)]


def test_drift_shows_the_object_line_by_line(place: Place) -> None:
    place.run("apply --yes")
    place.sql(
        "create or replace function shout(words text) returns text language sql immutable as $$ select lower(words) $$"
    )
    place.sql("alter table notes alter column line drop not null")
    said = place.run("drift").out
    assert "~ function public.shout(text) differs" in said
    assert "      -AS $function$ select lower(words) $function$" in said
    assert "      +AS $function$ select upper(words) $function$" in said
    assert "    not null: none → true" in said


def test_errors_are_documents_too(place: Place) -> None:
    place.declare("tables: {notes: {colums: {id: int}}}", "a.yaml")
    answer = place.run("plan --format json")
    assert answer.code == 2
    error = answer.json["error"]
    assert (error["kind"], error["exit"]) == ("usage", 2)
    assert error["sources"][0]["line"] == 1


def test_the_schemas_are_json_schemas() -> None:
    both = run("schema").json
    assert both["configuration"]["properties"]["databases"]
    assert json.loads(run("schema", "configuration").out) == both["configuration"]
    assert json.loads(run("schema", "declarations").out) == both["declarations"]


def test_a_plan_for_another_tool(place: Place) -> None:
    out = place.folder / "sql"
    found = place.run("plan --format json --export flyway", "--out", str(out)).json
    assert [Path(file).name[0] for file in found["migration"]["files"]] == ["V", "U"]
    assert all(Path(file).parent == out for file in found["migration"]["files"])
    assert place.migrations == []
