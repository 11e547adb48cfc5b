"""Scenarios in YAML: read with their places, every fault told with file and line; they declare nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import declare
from reconciler.declare.scenario import JWT
from reconciler.errors import Usage

GOOD = """\
given: insert into t values (1);
actors:
  member: {role: authenticated, claims: {sub: u1, level: 2}}
  plain: service_role
scenarios:
  rows come:
    steps:
      - as: member
        run: [select 1, "select true, null, 1.50;"]
        rows: [[true, null, 1.50]]
        adds: {public.t: 0}
      - run: select 1/0
        error: "22012"
  both at once:
    given: insert into t values (2);
    levels: [serializable]
    race:
      - {as: member, run: update t set a = 1}
      - {as: plain, run: update t set a = 2}
"""


def write(folder: Path, text: str) -> Path:
    (folder / "tables.sql").write_text("create table t (a integer);")
    file = folder / "scenarios.yaml"
    file.write_text(text)
    return file


def test_scenarios_are_read_with_their_places(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    found = declare.read(tmp_path)
    both, rows = found.scenarios
    assert (rows.name, str(rows.source), [one.source.line for one in rows.steps]) == (
        "rows come",
        f"{file}:6",
        [8, 12],
    )
    first, last = rows.steps
    assert first.who.settings == {JWT: '{"sub": "u1", "level": 2}'}
    assert first.statements == ("select 1", "select true, null, 1.50")
    assert first.rows == (("t", None, "1.50"),) and first.adds == {"public.t": 0}
    assert (last.who.role, last.error) == ("", "22012")
    assert both.levels == ("serializable",) and len(both.race) == 2
    assert both.given == "insert into t values (1);\ninsert into t values (2);"
    assert both.race[1].who.role == "service_role"


def test_scenarios_declare_nothing(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with_them = declare.read(tmp_path)
    (tmp_path / "scenarios.yaml").unlink()
    assert declare.read(tmp_path).digest == with_them.digest


WRONG = {
    "scenario: s\nsteps:\n  - run: select 1\n    eror: '1'": (4, "unknown key, did you mean error?"),
    "scenario: s": (1, "a scenario has steps, or a race"),
    "scenario: s\nrace:\n  - run: select 1": (1, "between two or three"),
    "scenario: s\nactors: {ann: app}\nsteps:\n  - as: an\n    run: select 1": (4, "did you mean ann?"),
    "scenario: s\nrace:\n  - run: select 1\n  - run: select 1\n    error: '40001'": (4, "compared with"),
    "scenario: s\nlevels: [read commited]\nsteps:\n  - run: select 1": (2, "did you mean read committed?"),
    "scenario: s\nsteps:\n  - as: nobody": (3, "run is missing"),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    line, says = WRONG[text]
    with pytest.raises(Usage) as raised:
        declare.read(tmp_path)
    assert says in str(raised.value)
    assert f"{file}:{line}" in str(raised.value)
