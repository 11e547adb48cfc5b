"""A project in a temporary folder, with a database of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import DECLARED, Place

from reconciler.embedded import Server
from reconciler.pg import Url


@pytest.fixture
def place(tmp_path: Path, database: Callable[..., Url], server: Server) -> Place:
    """An empty database and a schema directory that declares something. The shadow is the test server, to save a start."""
    made = Place(tmp_path, database(), server.url.reveal())
    made.declare(DECLARED)
    return made
