"""What one file contributes, while the directory is being read. Mutable, and never leaves this package."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.declare.values import DeclaredFile, Rename, TriggerDesign
from reconciler.errors import Source
from reconciler.model import ObjectId


@dataclass(slots=True)
class Gathered:
    """A file's statements, and what SQL has no words for."""

    file: DeclaredFile = field(default_factory=lambda: DeclaredFile("", ()))
    renames: list[Rename] = field(default_factory=list)
    fills: dict[ObjectId, str] = field(default_factory=dict)
    downs: dict[ObjectId, str] = field(default_factory=dict)
    designs: list[TriggerDesign] = field(default_factory=list)
    places: dict[ObjectId, Source] = field(default_factory=dict)

    def add(self, other: Gathered) -> None:
        """Everything of `other` but its statements."""
        self.renames += other.renames
        self.fills |= other.fills
        self.downs |= other.downs
        self.designs += other.designs
        self.places |= other.places
