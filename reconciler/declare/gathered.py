"""What one file contributes, while the directory is being read. Mutable, and never leaves this package."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.declare.values import DeclaredFile, Rename, TriggerDesign
from reconciler.errors import Source, Usage
from reconciler.model import ObjectId

if TYPE_CHECKING:
    from reconciler.declare.scenario import Scenario  # its models take longer to build than SQL files to read

_REPLACEABLE = ("function", "procedure", "aggregate", "view")
"""Kinds whose second `create or replace` wins silently, so that the order of files would decide."""


@dataclass(slots=True)
class Gathered:
    """A file's statements, and what SQL has no words for. `owned` are the objects that may be declared only once."""

    file: DeclaredFile = field(default_factory=lambda: DeclaredFile("", ()))
    renames: list[Rename] = field(default_factory=list)
    fills: dict[ObjectId, str] = field(default_factory=dict)
    downs: dict[ObjectId, str] = field(default_factory=dict)
    designs: list[TriggerDesign] = field(default_factory=list)
    scenarios: list[Scenario] = field(default_factory=list)
    owned: dict[ObjectId, Source] = field(default_factory=dict)
    places: dict[ObjectId, Source] = field(default_factory=dict)

    def add(self, other: Gathered) -> None:
        """Everything of `other` but its statements."""
        self.renames += other.renames
        self.fills |= other.fills
        self.downs |= other.downs
        self.designs += other.designs
        self.scenarios += other.scenarios
        self.owned |= other.owned
        self.places |= other.places


def declared_twice(total: Gathered, one: Gathered) -> Iterator[Usage]:
    """What `one` says that `total` has said already, and only one of them can mean."""
    places = ChainMap(total.owned, total.places)
    replaced = {id: source for id, source in one.places.items() if id.kind in _REPLACEABLE and id in places}
    for id, source in [*one.owned.items(), *replaced.items()]:
        if id in (places if id in replaced else total.owned):
            yield Usage(
                f"{id.kind.replace('_', ' ')} {id} is declared twice",
                hint="put everything about it into one place",
                sources=(source, places[id]),
            )
    earlier = {rename.old: rename for rename in total.renames}
    for rename in one.renames:
        other = earlier.setdefault(rename.old, rename)
        if other.new != rename.new:
            yield Usage(
                f"{rename.new} and {other.new} both say they were renamed from {rename.old}",
                hint="only one of them can be the old object: remove the other's renamed_from",
                sources=(rename.source, other.source),
            )
