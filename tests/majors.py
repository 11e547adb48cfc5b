"""Which versions of PostgreSQL, and which programs, a test may ask for.

`RECONCILER_REQUIRE=pg15,promtool,…` turns the skip where one is missing into a failure.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

from reconciler.embedded import available


def require_major(major: int) -> int:
    """`major` when its programs are here; otherwise the test is skipped, or fails where it is required."""
    if major in {binaries.major for binaries in available()}:
        return major
    return _missing(
        f"pg{major}", f"no programs of PostgreSQL {major}: set RECONCILER_PG_BIN_{major} or install them"
    )


def require_program(name: str) -> str:
    """The path of a program; without it the test is skipped, or fails where it is required."""
    found = shutil.which(name)
    return found or _missing(name, f"{name} is not installed")


def _missing(name: str, reason: str) -> NoReturn:
    if name in os.environ.get("RECONCILER_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
