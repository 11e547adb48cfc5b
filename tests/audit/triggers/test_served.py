"""Functions of the service role are given one tenant's key beside another one's row: those that do not check are found, and psql shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.audit.triggers import served
from reconciler.catalog.snapshot import read
from reconciler.embedded import Server
from reconciler.embedded.binaries import available
from reconciler.engine.subject import Subject, of_source
from reconciler.model import Cell, Finding
from reconciler.pg import connect
from reconciler.shadow.tenants.world import build

HERE = Path(__file__).parent
CLEARSCRUB = HERE.parents[2] / "schema"


@dataclass
class Called:
    subject: Subject
    cells: dict[str, Cell]
    findings: tuple[Finding, ...]

    def printed(self, script: str) -> str:
        with self.subject.shadow.copy(self.subject.start) as copy:
            done = subprocess.run(
                [available()[-1].program("psql"), "--no-psqlrc", "--quiet"],
                input=script,
                capture_output=True,
                text=True,
                env={**os.environ, **copy.environment()},
                timeout=60,
            )
        assert done.returncode == 0, done.stderr + script
        return done.stdout


@contextmanager
def called(server: Server, source: Path) -> Iterator[Called]:
    with of_source(str(source), where=server.url) as subject:
        with connect(subject.start) as session:
            snapshot = read(session, subject.scope)
        with build(subject.shadow, subject.start) as world:
            cells, findings = served(world, snapshot)
        yield Called(
            subject, {cell.object.name: cell for cell in cells if cell.identity == "service_role"}, findings
        )


@pytest.fixture(scope="module")
def functions(server: Server) -> Iterator[Called]:
    with called(server, HERE / "served.sql") as found:
        yield found


def test_what_does_not_check_is_found(functions: Called) -> None:
    said = {(finding.rule, finding.subject.name, finding.severity) for finding in functions.findings}
    assert said == {
        ("SRV001", "add_file_unchecked", "error"),
        ("SRV001", "finish", "error"),
        ("SRV002", "title_of", "error"),
        ("SRV002", "titles_of", "error"),
    }


def test_what_checks_is_isolated_and_what_has_nothing_to_check_is_told(functions: Called) -> None:
    verdicts = {name: cell.verdict for name, cell in functions.cells.items()}
    assert verdicts == {
        "add_file": "isolated", "file_count": "isolated", "paths": "bypass",
        "add_file_unchecked": "leak", "finish": "leak", "title_of": "leak", "titles_of": "leak", "done_of": "isolated",
    }  # fmt: skip


@pytest.mark.majors
def test_psql_shows_every_leak_again(functions: Called) -> None:
    leaks = [cell for cell in functions.cells.values() if cell.verdict == "leak"]
    assert len(leaks) == 4
    for cell in leaks:
        assert "LEAK" in functions.printed(cell.script), cell.script


def test_clearscrub_checks_its_webhook_and_would_be_found_if_it_did_not(
    server: Server, tmp_path: Path
) -> None:
    with called(server, CLEARSCRUB) as found:
        assert found.cells["intake_submission"].verdict == "isolated", (
            "with a secret that the world's rows accept"
        )
        assert found.findings == ()
    shutil.copytree(CLEARSCRUB, tmp_path / "schema")
    file = tmp_path / "schema" / "functions" / "intake_submission.sql"
    text = file.read_text()
    check = text[text.index("  if p_org_id is distinct from") : text.index("  -- 3. The submission.")]
    file.write_text(text.replace(check, ""))
    with called(server, tmp_path / "schema") as found:
        cell = found.cells["intake_submission"]
        assert cell.verdict == "leak"
        assert {finding.rule for finding in found.findings} == {"SRV001"}
        assert "LEAK" in found.printed(cell.script), cell.script
