"""Options of the sweeps of this room."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("lab").addoption(
        "--benches",
        type=int,
        default=10,
        help="how often each trigger of known cost is measured (-m verdicts)",
    )
