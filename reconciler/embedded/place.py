"""Where on this machine data that is thrown away goes: into memory where there is plenty, else on disk.

Memory makes a scratch server several times cheaper than a slow disk does, even without flushing; but memory
that a container is not allowed to use ends the whole program. `TMPDIR`, when set, decides.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from reconciler.embedded.account import Account
from reconciler.errors import Stalled

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, not a fixed file name
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_ROOM: Final = 2 * 1024**3
_ALLOWED: Final = 4 * 1024**3
"""Bytes. A scratch server takes 40 MB, each database 8 MB, and then what is written into it."""


def every_place(who: Account) -> tuple[Path, ...]:
    """All folders in which a scratch server of ours may lie."""
    wanted = (Path(tempfile.gettempdir()), _MEMORY, Path("/var/tmp"), Path("/tmp"))  # noqa: S108
    return tuple(place for place in dict.fromkeys(wanted) if place.is_dir() and who.reaches(place))


def best_place(who: Account) -> Path:
    """The folder for the next scratch server. `Stalled` when the account can reach none."""
    possible = every_place(who)
    if "TMPDIR" not in os.environ and _MEMORY in possible and _plenty():
        return _MEMORY
    for place in possible:
        if place != _MEMORY and os.access(place, os.W_OK):
            return place
    raise Stalled("there is no temporary folder that the server can reach", hint="set TMPDIR to one")


def _plenty() -> bool:
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return False
    try:
        limit = _LIMIT.read_text().strip()
    except OSError:
        # no limit is set for a machine as a whole, and older kernels keep theirs elsewhere: then the size decides
        return True
    return limit == "max" or int(limit) >= _ALLOWED
