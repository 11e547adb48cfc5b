"""ClearScrub with two tenants, once for all tests of this folder; options of its sweeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labscene import SCHEMA, Scene

from reconciler.engine.subject import of_source
from reconciler.pg import connect
from reconciler.shadow.tenants import world


@pytest.fixture(scope="session")
def scene(clean_environment: None) -> Iterator[Scene]:
    with of_source(str(SCHEMA)) as subject, world.build(subject.shadow, subject.start) as made:
        with connect(made.both) as session:
            session.execute(
                "insert into private.webhook_secrets (secret_hash, org_id) values (sha256('s3cret'), %s)",
                (made.keys["A"],),
            )
        yield Scene(subject, made)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("lab").addoption(
        "--benches",
        type=int,
        default=10,
        help="how often each trigger of known cost is measured (-m verdicts)",
    )
