"""`test` from the command line: races of the triggers of a file, their reports, their replay, how it ends."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from commands import run

from reconciler.engine import testing
from reconciler.lab import overhead

COUNTED = """\
create table counters (id integer primary key, n integer not null default 0);
create table events (id bigint generated always as identity primary key, counter integer not null references counters (id), note text);
create function count_it() returns trigger language plpgsql as $$
declare v integer;
begin
  {body}
  return null;
end $$;
create trigger count_it after insert on events for each row execute function count_it();
"""
LOST = "select n into v from counters where id = new.counter; update counters set n = v + 1 where id = new.counter;"
ATOMIC = "update counters set n = n + 1 where id = new.counter;"
RACE = "public.events/two-inserts-beside-each-other"


@pytest.fixture
def broken(tmp_path: Path) -> str:
    file = tmp_path / "broken.sql"
    file.write_text(COUNTED.format(body=LOST))
    return str(file)


def test_a_race_is_found_and_replayed_by_name(broken: str, tmp_path: Path) -> None:
    options = ("--race", "public.events/two-*", "--level", "read-committed")
    report = tmp_path / "out" / "report.xml"
    out = tmp_path / "report"
    found = run("test", broken, *options, "--format", "json", "--junit", str(report), "--out", str(out))
    assert found.code == 1, found.err
    (case,) = [one for one in found.json["cases"] if one["name"] == RACE]
    assert (case["verdict"], case["found"], case["level"]) == ("failed", "anomaly", "read committed")
    assert case["exhaustive"] and sum(case["schedules"].values()) >= 6
    suites = ElementTree.fromstring(report.read_text())
    failures = [one.get("name") for one in suites.iter("testcase") if one.find("failure") is not None]
    assert f"{RACE}@read committed" in failures
    (picture, *_) = sorted((out / "schedules").glob("*two_inserts_beside*.svg"))
    drawn = ElementTree.fromstring(picture.read_text())
    assert "committed" in [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "for update" in "".join(file.read_text() for file in (out / "remedies").glob("*.sql"))
    again = run("test", broken, "--race", RACE, "--schedule", case["schedule"])
    assert again.code == 1
    assert case["schedule"] in again.out and "no serial order comes to this" in again.out


def test_what_is_mended_passes(tmp_path: Path) -> None:
    file = tmp_path / "mended.sql"
    file.write_text(COUNTED.format(body=ATOMIC))
    found = run("test", str(file), "--race", RACE, "--format", "junit")
    assert found.code == 0, found.out
    assert ElementTree.fromstring(found.out)[0].get("tests") == "3"


def test_what_is_asked_wrongly_is_said(broken: str) -> None:
    assert run("test", broken, "--race", "public.nowhere/*").code == 2
    assert run("test", broken, "--schedule", "112").code == 2
    assert run("test", broken, "--race", RACE, "--schedule", "1x2").code == 2
    assert RACE in run("test", broken, "--list").out.split()


@pytest.mark.parametrize(
    "command", ["audit --out", "audit --remedy", "test --out", "test --junit", "bench --out"]
)
def test_a_report_that_cannot_be_written_is_told_before_the_work(
    broken: str, tmp_path: Path, command: str
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    name, option = command.split()
    answer = run(name, broken, option, str(taken / "report" / "file"))
    assert answer.code == 3 and "cannot be written: Not a directory" in answer.err
    assert not answer.out


@pytest.mark.parametrize(
    ("command", "module", "work"), [("test", testing, "_world"), ("bench", overhead, "measured")]
)
def test_what_was_interrupted_has_passed_nothing(
    broken: str, monkeypatch: pytest.MonkeyPatch, command: str, module: ModuleType, work: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, work, interrupted)
    assert run(command, broken).code == 4
