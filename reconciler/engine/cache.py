"""What was worked out before and still holds: the declared state, and that nothing moved since the last look.

Files under `$XDG_CACHE_HOME/reconciler`, readable by their owner alone, named by a digest of everything they depend on and of
the day: so a stale one is never found, only left behind. Losing the folder costs time, nothing else. Never holds a row or an
SQL script to run, nor a secret that stands where secrets belong; the bodies of functions and views are in it as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler import __version__
from reconciler.model import Attributes, Fact, ObjectId, Snapshot

FORMAT = 2
KEPT = 40
KEPT_BYTES = 256 * 1024 * 1024
"""How many files of each sort stay, and how much of the disk they may take together; the oldest go first."""


def key(*parts: object) -> str:
    """A name for what depends on exactly these values, in this version of the program, today (UTC): a declaration may ask what day it
    is, in a DO block that makes partitions for one."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    text = json.dumps([FORMAT, __version__, today, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def load(sort: str, name: str) -> Any | None:
    """What was saved under that name; None when nothing was, it cannot be read, or somebody else wrote it."""
    path = folder() / f"{sort}-{name}.json"
    try:
        if path.stat().st_uid != os.geteuid():
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def save(sort: str, name: str, value: Any) -> None:
    """Saves for later processes. A cache that cannot be written (a read-only home) is no error."""
    try:
        home = folder()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid != os.geteuid():
            return
        handle, temporary = tempfile.mkstemp(dir=home, suffix=".new")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(value, separators=(",", ":")))
        Path(temporary).replace(home / f"{sort}-{name}.json")
        _tidy(home, sort)
    except OSError:
        return


def _tidy(folder: Path, sort: str) -> None:
    found = sorted(
        ((path.stat(), path) for path in folder.glob(f"{sort}-*.json")),
        key=lambda one: one[0].st_mtime,
        reverse=True,
    )
    total = 0
    for number, (stat, path) in enumerate(found):
        total += stat.st_size
        if number and (number >= KEPT or total > KEPT_BYTES):
            path.unlink(missing_ok=True)


def folder() -> Path:
    """Where everything is that may be lost."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "reconciler"


def packed(snapshot: Snapshot, untouched: Iterable[ObjectId]) -> dict[str, Any]:
    """A snapshot as JSON; identities are written once and referred to by number."""
    ids = sorted(snapshot.digests)
    number = {id: n for n, id in enumerate(ids)}
    return {
        "major": snapshot.major,
        "unmodelled": list(snapshot.unmodelled),
        "facts": [
            [
                id.kind, id.schema, id.name, id.part, snapshot.digests[id], number.get(fact.parent) if fact.parent else None,
                fact.position, _text(fact),
            ]
            for id, fact in ((id, snapshot.facts[id]) for id in ids)
        ],
        "edges": [[number[id], sorted(number[n] for n in needs if n in number)] for id, needs in snapshot.edges.items() if id in number],
        "untouched": sorted(number[id] for id in untouched if id in number),
    }  # fmt: skip


def _text(fact: Fact) -> str:
    attributes = fact.attributes
    return attributes.text if isinstance(attributes, Attributes) else json.dumps(dict(attributes))


def unpacked(value: dict[str, Any]) -> tuple[Snapshot, frozenset[ObjectId]]:
    """The reverse of `packed`: the snapshot and the identities that were marked."""
    ids = [ObjectId(row[0], row[1], row[2], row[3]) for row in value["facts"]]
    facts = {
        id: Fact(id, Attributes(row[7]), row[4], ids[row[5]] if row[5] is not None else None, row[6])
        for id, row in zip(ids, value["facts"], strict=True)
    }
    edges = {ids[user]: frozenset(ids[n] for n in needs) for user, needs in value["edges"]}
    digests = {id: fact.digest for id, fact in facts.items()}
    marked = frozenset(ids[n] for n in value["untouched"])
    return Snapshot(digests, facts, edges, tuple(value["unmodelled"]), value["major"]), marked
