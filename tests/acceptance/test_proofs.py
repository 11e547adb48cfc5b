"""`diff --prove` over varied changes: every stage lands exactly, rows that both sides can hold survive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.embedded import Server
from reconciler.engine.diff import diff
from reconciler.errors import Stalled

PROOFS = Path(__file__).parent / "proofs"
CASES = sorted(path.name for path in PROOFS.iterdir())
NEEDS = {"security_invoker_view": 15}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_rehearsed_both_ways(
    name: str, server: Server, record_property: pytest.RecordProperty
) -> None:
    if server.major < NEEDS.get(name, 0):
        pytest.skip(f"needs PostgreSQL {NEEDS[name]}")
    case = PROOFS / name
    found = diff(str(case / "old.sql"), str(case / "new.sql"), where=server.url, prove=True)
    assert found.rehearsal is not None
    assert found.rehearsal.residue == ()
    assert found.rehearsal.passed
    assert found.plan.changes and found.plan.up and found.plan.down
    record_property(
        "share_of_migra", json.dumps([name, round(found.plan.share_of_migra, 2), len(found.plan.up)])
    )
    back = diff(str(case / "new.sql"), str(case / "old.sql"), where=server.url, prove=True)
    assert back.rehearsal is not None and back.rehearsal.residue == ()


def test_a_source_compared_with_itself_is_empty(server: Server) -> None:
    for name in CASES:
        if server.major < NEEDS.get(name, 0):
            continue
        source = str(PROOFS / name / "new.sql")
        found = diff(source, source, where=server.url, prove=True)
        assert (found.plan.changes, found.plan.up, found.plan.down) == ((), (), ())


def test_the_type_of_a_partition_key_is_refused(server: Server, tmp_path: Path) -> None:
    table = "create table p (id int, k %s) partition by list (id); create table q partition of p default partition by hash (k);"
    (tmp_path / "old.sql").write_text(table % "int")
    (tmp_path / "new.sql").write_text(table % "bigint")
    with pytest.raises(Stalled, match=r"public\.q is partitioned by it"):
        diff(str(tmp_path / "old.sql"), str(tmp_path / "new.sql"), where=server.url)


def test_what_cannot_be_planned_is_refused_with_the_reason(server: Server, tmp_path: Path) -> None:
    types = "create type inner_one as enum (%s); create type outer_one as (mood inner_one); create table t (o outer_one);"
    (tmp_path / "old.sql").write_text(types % "'a', 'b'")
    (tmp_path / "new.sql").write_text(types % "'b'")
    with pytest.raises(Stalled, match="no plan"):
        diff(str(tmp_path / "old.sql"), str(tmp_path / "new.sql"), where=server.url, prove=True)
