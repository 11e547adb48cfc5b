"""`audit` with attacks: a leak makes exit 1 and a script that psql runs; an interruption keeps what was found."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run

from reconciler.cli.auditing import exit_of
from reconciler.engine.auditing import audited
from reconciler.engine.subject import of_source
from reconciler.pg import connect
from reconciler.settings import Database

LEAKING = """\
create table orgs (id uuid primary key, name text not null);
create table notes (org_id uuid not null references orgs (id), id uuid primary key, line text not null);
create table letters (org_id uuid not null references orgs (id), id uuid primary key, line text not null);
alter table orgs enable row level security;
alter table notes enable row level security;
alter table letters enable row level security;
create function me() returns uuid language sql stable set search_path = ''
  as $$ select nullif(pg_catalog.current_setting('app.org_id', true), '')::uuid $$;
create policy own on orgs to app using (id = (select me()));
create policy own on notes to app using (org_id = (select me()));
create policy own on letters to app using (org_id = (select me()) or line is not null);
grant select on orgs to app;
grant select, insert, update, delete on notes, letters to app;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schema.sql"
    path.write_text(LEAKING)
    return path


def test_a_leak_is_an_error_with_a_script_that_shows_it(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = run("audit", str(file), "--out", str(out), "--format", "json")
    assert found.code == 1
    assert {one["id"] for one in found.json["findings"] if one["severity"] == "error"} == {"public.letters"}
    assert {one["id"] for one in found.json["cells"] if one["verdict"] == "leak"} == {"public.letters"}
    assert found.json["summary"]["decided"] >= 0.95
    scripts = sorted((out / "leaks").iterdir())
    assert scripts
    with of_source(str(file)) as subject:
        assert subject.shadow.programs is not None
        psql = str(subject.shadow.programs.program("psql"))
        for script in scripts:
            with subject.shadow.copy(subject.start) as copy:
                done = subprocess.run(
                    [psql, "-X", "-q", "-d", copy.reveal(), "-f", str(script)],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
            assert "LEAK" in done.stdout, (script.name, done.stdout, done.stderr)
    nobody = run("audit", str(file), "--identity", "nobody")
    assert nobody.code == 2 and "member of A" in nobody.err
    page = (out / "audit.html").read_text()
    assert "public.letters" in page and "LEAK" in page


def test_what_an_interrupted_audit_knows_is_told(file: Path) -> None:
    def told(stage: str) -> None:
        if stage.startswith("attack") and "(2 of" in stage:
            raise KeyboardInterrupt

    with of_source(str(file)) as subject:
        found = audited(subject, Database(name="x"), told=told)
        assert found.partial and found.attacked
        assert found.by_verdict["undecided"] and found.decided < 1
        assert any(cell.verdict in ("isolated", "leak") for cell in found.cells)
        assert exit_of(replace(found, findings=()), "info") == 4, "nothing was passed"
        with connect(subject.shadow.url) as session:
            left = session.execute(
                "select count(*) from pg_database where datname like 'reconciler_scratch%%'"
            ).fetchone()
        assert left == (1,), "the worlds are gone"


def test_remedies_load_and_cure(file: Path, tmp_path: Path) -> None:
    file.write_text(
        LEAKING + "create table exports (org_id uuid not null); grant select on exports to app;\n"
    )
    script = tmp_path / "remedy.sql"
    before = run("audit", str(file), "--no-attacks", "--format", "json", "--remedy", str(script)).json
    mended = tmp_path / "mended.sql"
    mended.write_text(file.read_text() + script.read_text().replace("begin;", "").replace("commit;", ""))
    after = run("audit", str(mended), "--no-attacks", "--format", "json").json
    keys = {one["key"] for one in after["findings"]}
    cured = {one["key"] for one in before["findings"]} - keys
    assert "RLS001 table public.exports" in cured
