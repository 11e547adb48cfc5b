"""ClearScrub on a scratch server with two tenants: what the tests of this folder share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.engine.subject import Subject
from reconciler.pg import literal
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
