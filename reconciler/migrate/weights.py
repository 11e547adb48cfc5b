"""What one statement was measured to do, in words: the same in the header of a file and on a terminal.

Knows values only. Promises the names that PostgreSQL's manual uses.
"""

from __future__ import annotations

from reconciler.model import Band, LockTaken, Measured


def effects(found: Measured) -> list[str]:
    """Locks with whom they keep waiting, then rewrites, then scans."""
    return [
        *(lock_words(lock) for lock in found.locks),
        *(f"rewrites {name}" for name in found.rewrites),
        *(f"scans {name}" for name in found.scans),
    ]


def lock_words(lock: LockTaken) -> str:
    return f"{lock.mode} on {lock.relation} (blocks {', '.join(lock.blocks) or 'nobody'})"


def timing(seconds: float, on_live: Band | None) -> str:
    """How long it took here, and how long it is expected to take on the target."""
    return f"{seconds:.3f} s" + (f", {band_words(on_live)} on the target's rows" if on_live else "")


def band_words(band: Band) -> str:
    """In the unit that a person would use: `under 0.1 s`, `1.2 to 3.5 s`, `4 to 11 min`."""
    if band.high < 0.1:
        return "under 0.1 s"
    if band.high < 120:
        places = 1 if band.high < 20 else 0
        return f"{band.low:.{places}f} to {band.high:.{places}f} s"
    unit, word = (60, "min") if band.high < 7200 else (3600, "h")
    places = 1 if band.high / unit < 20 else 0
    return f"{band.low / unit:.{places}f} to {band.high / unit:.{places}f} {word}"
