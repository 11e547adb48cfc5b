"""Law 6: whatever happens to a run, the database is at before, at after, or at a recorded step from which the next run goes on.

A few faults in every run, as many as wished with `-m faults`. The sweep appends each verdict to a log and goes on where the log
ends; one of them again: `--fault "CHANGE/ROUTE:NUMBER"`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from busy import BUSY
from declared import CHANGES
from keeping import KEEPING
from report import Entry, entries, summary
from scripts import SCRIPTS
from state import ROUTES, Route
from sweep import Bench, disturbed, swept

ALL = {change.name: change for change in (*CHANGES, *KEEPING, *BUSY, *SCRIPTS)}
FEW = {"steps with effects": {"apply": 13}, "backfill in batches": {"apply": 6, "psql": 6}}
"""How many faults in every run, by who applies."""
SHARES = {"apply": (1, 14), "psql": (3, 9), "command": (6, 3)}
"""By who applies: one migration in so many, and how many faults it gets in proportion."""
FAULTS_A_RUN = 1.3
"""At least: every other run meets a second one, if that comes in time."""


@pytest.mark.thorough
def test_a_few_faults(bench: Bench) -> None:
    log: list[Entry] = []
    swept(
        bench,
        {name: ALL[name] for name in FEW},
        lambda name, route: range(FEW[name].get(route, 0)),
        log.append,
    )
    assert sum(sum(entry["met"]) for entry in log) >= 20
    assert [entry for entry in log if entry["breaches"]] == []


@pytest.mark.faults
@pytest.mark.timeout(0)
def test_as_many_faults_as_wished(
    bench: Bench, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    option = request.config.getoption
    for again in option("--fault"):
        once_more(bench, again, capsys)
    if option("--fault"):
        return
    path: Path = option("--faults-log") or Path(request.config.cache.mkdir("faults")) / "faults.jsonl"  # type: ignore[union-attr]
    path.parent.mkdir(parents=True, exist_ok=True)
    known = entries(path)
    done = Counter((entry["change"], entry["route"]) for entry in known)
    wanted = tuple(option("--faults-of") or [""])
    chosen = {name: change for name, change in ALL.items() if name.startswith(wanted)}
    runs = option("--faults") / FAULTS_A_RUN
    each = runs / len(chosen) / sum(faults / among for among, faults in SHARES.values())
    place = {name: number for number, name in enumerate(ALL)}

    def share(name: str, route: Route) -> range:
        among, faults = SHARES[route]
        number = 0 if place[name] % among else math.ceil(each * faults)
        return range(done[name, route], done[name, route] + number)

    def log(entry: Entry) -> None:
        known.append(entry)
        with path.open("a") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    swept(bench, chosen, share, log)
    with capsys.disabled():
        print(f"\n{summary(known)}\n{path}")
    broken = [f"{e['change']}/{e['route']}:{e['number']} {e['breaches']}" for e in known if e["breaches"]]
    assert not broken, "\n".join(broken)


def once_more(bench: Bench, which: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, _, number = which.rpartition(":")
    change, _, route = name.rpartition("/")
    with disturbed(ALL[change], next(one for one in ROUTES if one == route), bench) as trial:
        if int(number) % 2:
            trial.site.undisturbed("up")
        entry = trial.one(int(number))
    with capsys.disabled():
        print(json.dumps(entry, indent=1, ensure_ascii=False))
    assert not entry["breaches"]
