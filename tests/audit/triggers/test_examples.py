"""What only firing and calling shows: all bad examples stand in one database, all good ones in another, and each rule speaks of the first alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.audit.rules import RULES, examples
from reconciler.audit.triggers import fired, served
from reconciler.catalog.snapshot import read
from reconciler.embedded import Server
from reconciler.engine.subject import of_source
from reconciler.model import Finding
from reconciler.pg import connect
from reconciler.shadow.tenants.world import build

MEASURED = sorted(id for id in RULES if id.startswith(("TRG1", "SRV")))


def found(server: Server, which: str, file: Path) -> set[Finding]:
    texts = [(examples.folder() / rule / f"{which}.sql").read_text() for rule in MEASURED]
    default = "alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;"
    file.write_text("\n".join([default, *texts]))
    with of_source(str(file), where=server.url, platform="supabase") as subject:
        with connect(subject.start) as session:
            snapshot = read(session, subject.scope)
        with build(subject.shadow, subject.start) as world:
            return {*fired(world, snapshot)[1], *served(world, snapshot)[1]}


@pytest.mark.parametrize("which", ["bad", "good"])
def test_each_rule_speaks_of_its_bad_example_and_of_no_good_one(
    server: Server, tmp_path: Path, which: str
) -> None:
    said = found(server, which, tmp_path / "examples.sql")
    assert sorted({finding.rule for finding in said}) == (MEASURED if which == "bad" else []), said
