"""What a statement does with the rows of the tables it touches, from its first words and from what it was seen to do.

Pure. Decides which of the measured factors apply to its times, and whether more rows can make it slower at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.model import Measured, ObjectId, Rehearsal, Size, Statement
from reconciler.run.nature import head
from reconciler.shadow.band import Work

_CHANGES = re.compile(r"(update|insert|delete|merge|with|call)\b", re.IGNORECASE)
_CHANGES_INSIDE = re.compile(
    r"\b(update\b(?!\s+exclusive)|insert\s+into|delete\s+from|merge\s+into|call\b)", re.IGNORECASE
)
_BATCHES = re.compile(r"\bcommit\s*;", re.IGNORECASE)
_BLOCK = re.compile(r"do\b", re.IGNORECASE)
_BUILDS = re.compile(r"\b(unique|primary\s+key|exclude|index|using|type)\b", re.IGNORECASE)
_LOOKS_UP = re.compile(r"\b(foreign\s+key|references)\b", re.IGNORECASE)


def work_of(sql: str, seen: Measured) -> Work:
    """What a statement that touches whole tables does with their rows."""
    if _BLOCK.match(head(sql)) and _BATCHES.search(sql):
        return "looks up"  # each batch finds its rows anew, and waits for whom it would hold up
    if _LOOKS_UP.search(sql) or any(lock.mode == "RowShareLock" for lock in seen.locks):
        return "looks up"
    if _changes(sql):
        return "changes"
    only_reads = (
        not seen.rewrites and not _BUILDS.search(sql) and head(sql)[:6].lower().startswith(("alter ", "do "))
    )
    return "reads" if only_reads else "builds"


def grows(
    up: Sequence[Statement], down: Sequence[Statement], rehearsal: Rehearsal, live: Mapping[ObjectId, Size]
) -> bool:
    """Whether any statement may take longer on more rows: it read or wrote whole tables, or changes rows, or there were no rows to
    see it by. A policy or a grant on the largest table does not."""
    if any(str(id) not in rehearsal.seeded for id in live if id.kind == "table"):
        return True
    names = {f"{id.schema}.{id.name}" for id in live}
    measured = (*rehearsal.measured_up, *rehearsal.measured_down)
    return any(not names.isdisjoint((*one.rewrites, *one.scans)) for one in measured) or any(
        _changes(one.sql) for one in (*up, *down)
    )


def _changes(sql: str) -> bool:
    text = head(sql)
    return bool(_CHANGES.match(text) or (_BLOCK.match(text) and _CHANGES_INSIDE.search(text)))
