"""ClearScrub with two tenants, once for all tests of this folder; options of its sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.engine.subject import Subject, of_source
from reconciler.pg import connect, literal
from reconciler.shadow.tenants import world
from reconciler.shadow.tenants.values import Identity, World

SCHEMA = Path(__file__).parents[2] / "schema"


@dataclass(frozen=True)
class Scene:
    """The schema in a scratch database, and a world of two tenants made of it; A has the webhook secret `s3cret`."""

    subject: Subject
    world: World

    @property
    def org(self) -> str:
        return literal(self.world.keys["A"])

    def identity(self, name: str) -> Identity:
        return next(one for one in self.world.identities if one.name == name)


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
