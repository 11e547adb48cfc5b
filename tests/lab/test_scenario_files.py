"""Scenarios that somebody wrote: without a role they act as the superuser, and one that cannot run is no success."""

from __future__ import annotations

from pathlib import Path

from reconciler.cli.present.test import test_lines as lines_of
from reconciler.engine import testing
from reconciler.engine.subject import of_source
from reconciler.engine.testing import Wanted
from reconciler.settings import Database

SCHEMA = "create table public.seats (n integer not null);\n"
SCENARIOS = """
actors: {app: {}, nobody: {role: nobody_has_made_it}}
invariants: {one seat: select from public.seats having count(*) > 1}
scenarios:
  one takes it:
    steps: [{as: app, run: insert into public.seats values (1), adds: {public.seats: 1}}]
  two take it:
    levels: [read committed]
    race: [{as: app, run: insert into public.seats values (1)}, {as: app, run: insert into public.seats values (2)}]
  nobody can:
    levels: [read committed]
    race: [{as: app, run: insert into public.seats values (1)}, {as: nobody, run: insert into public.seats values (2)}]
"""


def test_what_is_written_to_be_tried_is_tried_or_fails(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(SCHEMA)
    (tmp_path / "scenarios.yaml").write_text(SCENARIOS)
    with of_source(str(tmp_path)) as subject:
        wanted = Wanted("*o*", levels=("read committed",))
        report = testing.tested(subject, Database(name="x"), wanted)
    found = {case.name: (case.verdict, case.found) for case in report.cases}
    assert found == {
        "one takes it": ("passed", ""),
        "two take it": ("failed", "invariant"),
        "nobody can": ("failed", "unexpected"),
    }
    assert any("cannot run" in case.says and "nobody_has_made_it" in case.says for case in report.cases)
    text = "\n".join(line.plain for line in lines_of(report, "a.sql"))
    assert "again: reconciler test a.sql --race 'two take it' --level read-committed --schedule" in text
