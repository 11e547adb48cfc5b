"""The table-level lock modes by strength, and which of the locks that were seen are worth telling.

Knows the order of the manual's section "Explicit Locking". Pure: the looks themselves are taken in `measure` and `peak`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.model import LockTaken

STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""Table-level lock modes, weakest first (manual, "Explicit Locking")."""

READING = STRENGTH.index("AccessShareLock")
WRITING = STRENGTH.index("RowExclusiveLock")
DDL = STRENGTH.index("ShareUpdateExclusiveLock")


@dataclass(frozen=True, slots=True)
class Touched:
    """A relation that a statement locked, rewrote or read. `mode` and `before` are indexes into STRENGTH, −1 for none."""

    oid: int
    name: str
    kind: str
    table: int | None
    mode: int
    before: int
    rewritten: bool
    scanned: bool


def strongest(modes: Iterable[str]) -> int:
    return max((STRENGTH.index(mode) for mode in modes if mode in STRENGTH), default=-1)


def taken(touched: Sequence[Touched]) -> tuple[LockTaken, ...]:
    """The strongest new lock per relation.

    An index counts only where its table is locked less, a sequence only when its definition is touched.
    """
    mode_of = {one.oid: one.mode for one in touched}
    found = {
        one.name: one.mode
        for one in touched
        if one.mode > max(one.before, READING)
        and (one.kind != "S" or one.mode >= DDL)
        and (one.table is None or one.mode > max(mode_of.get(one.table, -1), DDL - 1))
    }
    return tuple(LockTaken(name, STRENGTH[mode]) for name, mode in sorted(found.items()))
