"""Options of the mutation score."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutation", "the mutation score of the audit")
    group.addoption(
        "--mutants-each", type=int, default=4, help="how many mutants of each operator and schema"
    )
    group.addoption("--mutants-seed", type=int, default=1, help="which ones")
    group.addoption(
        "--mutants-only",
        default="",
        help="those whose operator and target hold one of these texts, divided by commas",
    )
    group.addoption("--mutants-of", default="", help="one schema alone")
    group.addoption(
        "--mutants-log",
        type=Path,
        help="where verdicts are kept, one JSON object a line; what stands there is not judged again",
    )
