"""`audit` from the command line: where a schema comes from, what is written, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from commands import Place, run

OPEN = """\
create table notes (id uuid primary key, org_id uuid not null, line text not null);
grant select, insert on notes to public;
"""
SHUT = """\
create table notes (id uuid primary key, org_id uuid not null, line text not null);
alter table notes enable row level security;
alter table notes force row level security;
"""


def test_a_file_is_audited_by_rules_alone(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(OPEN)
    found = run("audit", str(file), "--no-attacks", "--format", "json")
    assert found.code == 0, found.err
    assert found.json["attacked"] is False
    (one,) = [f for f in found.json["findings"] if f["rule"] == "RLS001"]
    assert (one["id"], one["severity"], one["file"], one["line"]) == ("public.notes", "warning", str(file), 1)
    assert run("audit", str(file), "--no-attacks", "--fail-on", "warning", "--quiet").code == 1
    shut = tmp_path / "shut.sql"
    shut.write_text(SHUT)
    assert run("audit", str(shut), "--no-attacks", "--fail-on", "warning").code == 0


def test_the_other_formats_and_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(OPEN)
    log = json.loads(run("audit", str(file), "--no-attacks", "--format", "sarif").out)
    assert "RLS001" in {result["ruleId"] for result in log["runs"][0]["results"]}
    assert run("audit", str(file), "--no-attacks", "--format", "markdown").out.startswith("# Audit of")
    proposed = tmp_path / "remedy.sql"
    said = run("audit", str(file), "--no-attacks", "--out", str(tmp_path / "out"), "--remedy", str(proposed))
    assert "RLS001" in said.out and "public.notes" in said.out
    assert (tmp_path / "out" / "audit.html").is_file()
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["format"] == 1
    assert "enable row level security" in proposed.read_text()
    assert (tmp_path / "out" / "remedy.sql").read_text() == proposed.read_text()


def test_declarations_and_the_live_schema_are_two_things(place: Place) -> None:
    place.declare(SHUT)
    place.sql(OPEN)
    declared = place.run("audit", "--no-attacks", "--format", "json").json
    live = place.run("audit", "--no-attacks", "--live", "--format", "json").json
    assert "RLS001" not in {one["rule"] for one in declared["findings"]}
    assert "RLS001" in {one["rule"] for one in live["findings"]}


def test_a_schema_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text("create view v as select * from nowhere;")
    said = run("audit", str(file))
    assert said.code == 3 and f"{file}:1" in said.err
    assert run("audit", str(tmp_path / "missing.sql")).code == 2
    assert run("audit", str(file), "--live").code == 2
    assert run("audit", str(file), "--tables", "notes").code == 2
