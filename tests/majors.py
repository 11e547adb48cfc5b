"""Which versions of PostgreSQL a test may ask for."""

from __future__ import annotations

import os

import pytest

from reconciler.embedded import available


def require_major(major: int) -> int:
    """`major` when its programs are here; otherwise the test is skipped, or fails where it is required."""
    if major in {binaries.major for binaries in available()}:
        return major
    reason = f"no programs of PostgreSQL {major}: set RECONCILER_PG_BIN_{major} or install them"
    if f"pg{major}" in os.environ.get("RECONCILER_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
