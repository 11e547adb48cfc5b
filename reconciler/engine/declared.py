"""What the declarations say beside their SQL, without cutting the same files into statements again.

Remembered by the very bytes of the files. Whoever needs the statements themselves calls `declare.read`: that is only when the
declared state has to be made. Never remembers files that could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler import declare
from reconciler.declare import Declarations, Rename
from reconciler.engine import cache
from reconciler.errors import Source
from reconciler.model import ObjectId
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Said:
    """`digest` stands for the statements; the rest is as in `Declarations`. `content` is a digest of the files' bytes, empty
    when they were written while they were read."""

    digest: str
    renames: tuple[Rename, ...]
    fills: Mapping[ObjectId, str]
    downs: Mapping[ObjectId, str]
    places: Mapping[ObjectId, Source]
    content: str = ""

    @classmethod
    def of(cls, found: Declarations, content: str = "") -> Said:
        return cls(found.digest, found.renames, found.fills, found.downs, found.places, content)


def said(database: Database) -> Said:
    """Raises Usage naming every fault."""
    content = declare.content(database.schema_dir, exclude=database.migrations)
    name = cache.key(content, str(database.schema_dir))
    saved = cache.load("declared", name)
    if saved is not None:
        return _unpacked(saved, content)
    found = declare.read(database.schema_dir, exclude=database.migrations)
    if content != declare.content(database.schema_dir, exclude=database.migrations):
        content = ""  # nobody knows which of the two was read
    else:
        cache.save("declared", name, _packed(found))
    return Said.of(found, content)


def _packed(found: Declarations) -> dict[str, Any]:
    return {
        "digest": found.digest,
        "renames": [[r.kind, r.old, r.new, r.source.file, r.source.line] for r in found.renames],
        "fills": [[id, sql] for id, sql in found.fills.items()],
        "downs": [[id, sql] for id, sql in found.downs.items()],
        "places": [[id, source.file, source.line] for id, source in found.places.items()],
    }


def _unpacked(value: dict[str, Any], content: str) -> Said:
    return Said(
        value["digest"],
        tuple(
            Rename(kind, ObjectId(*old), ObjectId(*new), Source(file, line))
            for kind, old, new, file, line in value["renames"]
        ),
        {ObjectId(*id): sql for id, sql in value["fills"]},
        {ObjectId(*id): sql for id, sql in value["downs"]},
        {ObjectId(*id): Source(file, line) for id, file, line in value["places"]},
        content,
    )
