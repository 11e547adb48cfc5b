"""The folder of one server on disk, who owns it, and how a folder without an owner is recognised and
removed.

A scratch folder is `reconciler-server-<random>` in a temporary folder (`place`). Its owner holds an
exclusive `flock` on it: the kernel lets go of it when that process dies, in whatever way, so that neither a
reused pid nor another container's pids can mislead; and cleaners of temporary folders (systemd-tmpfiles)
leave a locked folder alone. The folder belongs to us; only `data` in it belongs to the server's account, so
that nothing we trust can be changed by it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reconciler.embedded import process
from reconciler.embedded.account import Account, account
from reconciler.embedded.place import best_place, every_place

_PREFIX = "reconciler-server-"
_UNFINISHED = ".reconciler-server-"


@contextmanager
def temporary_home(who: Account) -> Iterator[Path]:
    """A new folder, owned until the block ends and removed then."""
    place = best_place(who)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    # locked before it gets the name that `reap` looks for
    with lock(unfinished):
        if who.uid is not None:
            unfinished.chmod(0o711)
        home = unfinished.rename(place / f"{_PREFIX}{secrets.token_hex(6)}")
        try:
            yield home
        finally:
            remove(home)


@contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """An exclusive lock on a folder, or on a file of ours (made if missing), while the block runs.

    `BlockingIOError` when it is taken, unless we are to wait.
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def write_record(home: Path, record: dict[str, Any]) -> None:
    """What the next process must know about the running server; replaced as a whole."""
    unfinished = home / "server.json.new"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(record, sort_keys=True))
    unfinished.replace(home / "server.json")


def read_record(home: Path) -> dict[str, Any]:
    """The record; empty when there is none or when its writer died while writing."""
    try:
        record = json.loads((home / "server.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return record if isinstance(record, dict) else {}


def remove(home: Path) -> None:
    """Deletes a folder; one that somebody else deletes at the same time is fine too."""
    for _ in range(3):
        shutil.rmtree(home, ignore_errors=True)
        if not home.exists():
            return


def reap() -> tuple[str, ...]:
    """Stops scratch servers of this user whose owner died and deletes their folders; says which."""
    homes = [home for place in every_place(account()) for home in sorted(place.glob(f"{_PREFIX}*"))]
    return tuple(str(home) for home in homes if _is_ours(home) and _reap_one(home))


def _reap_one(home: Path) -> bool:
    try:
        with lock(home):
            record = read_record(home)
            process.stop(record.get("pid", 0), record.get("started", ""), gently=False)
            remove(home)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _is_ours(home: Path) -> bool:
    try:
        state = home.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid()
