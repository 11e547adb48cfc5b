"""The mutation score of the audit, over ClearScrub and the four schemas beside this folder. One command:

pytest -q -s -m mutation tests/audit/mutation --mutants-log mutants.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from score import Judged, judged, summed

from reconciler.settings import Database

HERE = Path(__file__).parent
SOURCES = {
    "clearscrub": HERE.parents[2] / "schema",
    **{path.stem: path for path in sorted((HERE.parent / "schemas").glob("*.sql"))},
}


@pytest.mark.mutation
@pytest.mark.timeout(0)
def test_the_audit_finds_what_was_broken(request: pytest.FixtureRequest) -> None:
    option = request.config.getoption
    log: Path | None = option("--mutants-log")
    found = (
        [
            Judged(**{**one, "by": tuple(one["by"])})
            for line in log.read_text().splitlines()
            if (one := json.loads(line))
        ]
        if log and log.exists()
        else []
    )
    known = {(one.schema, one.operator, one.target) for one in found}
    for name, source in SOURCES.items():
        if option("--mutants-of") not in ("", name):
            continue
        for one in judged(
            name, source, Database(name=name), each=option("--mutants-each"), seed=option("--mutants-seed"),
            only=option("--mutants-only"), known=known,
        ):  # fmt: skip
            found.append(one)
            if not one.hit:
                sys.stderr.write(f"{one.kind} {one.schema} {one.operator} {one.target}: {one.note}\n")
            if log:
                with log.open("a", encoding="utf-8") as file:
                    file.write(one.line + "\n")
    print(summed(found))
    for kind in ("behavioural", "hygiene"):
        of = [one for one in found if one.kind == kind]
        assert sum(one.hit for one in of) >= 0.98 * len(of), kind
    left_out = [one for one in found if one.kind == "equivalent"]
    assert len(left_out) <= 0.1 * len(found)
    if not option("--mutants-only") and not option("--mutants-of"):
        assert len(found) >= 500
        assert len({one.operator for one in found}) >= 25
