"""A folder with declarations; every daemon over it is gone at the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import Ground

from reconciler.embedded import Server
from reconciler.pg import Url


@pytest.fixture
def ground(tmp_path: Path, server: Server, database: Callable[..., Url]) -> Iterator[Ground]:
    made = Ground(tmp_path, server, database)
    made.declare("create table t (id integer primary key, v text);")
    yield made
    for daemon in made.running:
        if daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGCONT)
            daemon.process.kill()
            daemon.process.wait(10)
