"""What one statement was measured to do, in words: the same in the header of a file and on a terminal.

Knows values only. Promises the names that PostgreSQL's manual uses.
"""

from __future__ import annotations

from reconciler.model import LockTaken, Measured


def effects(found: Measured) -> list[str]:
    """Locks with whom they keep waiting, then rewrites, then scans."""
    return [
        *(lock_words(lock) for lock in found.locks),
        *(f"rewrites {name}" for name in found.rewrites),
        *(f"scans {name}" for name in found.scans),
    ]


def lock_words(lock: LockTaken) -> str:
    return f"{lock.mode} on {lock.relation} (blocks {', '.join(lock.blocks) or 'nobody'})"
