"""Options of the sweep over random pairs of databases."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pairs", "random pairs of databases")
    group.addoption("--pairs", type=int, default=100, help="how many pairs the sweep (-m pairs) judges")
    group.addoption(
        "--pair",
        type=int,
        action="append",
        default=[],
        help="judge this one, and shrink it if it breaks a law",
    )
    group.addoption("--pairs-from", type=int, help="the number of a new log's first pair")
    group.addoption("--pairs-log", type=Path, help="where verdicts are kept, one JSON object a line")
