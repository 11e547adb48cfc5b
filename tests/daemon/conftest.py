"""A folder with declarations; every daemon over it is gone at the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import Ground

from reconciler.embedded import Server
from reconciler.pg import Url


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("soak").addoption(
        "--soak",
        type=float,
        default=1.0,
        help="how long the soak (-m soak) is: 1 is 200 trials and ten minutes",
    )


@pytest.fixture
def ground(tmp_path: Path, server: Server, database: Callable[..., Url]) -> Iterator[Ground]:
    made = Ground(tmp_path, server, database)
    made.declare("create table t (id integer primary key, v text);")
    yield made
    for daemon in made.running:
        if daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGCONT)
            daemon.process.kill()
            daemon.process.wait(60)
