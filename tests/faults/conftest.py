"""Options of the sweep of faults, and the server they happen to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import cluster
from runs import Killable
from sweep import Bench
from wire import Wire

from reconciler.embedded import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults", "crashes, kills and cut connections")
    group.addoption(
        "--faults", type=int, default=1000, help="how many faults the sweep (-m faults) does and judges"
    )
    group.addoption("--fault", action="append", default=[], help="judge this one again: CHANGE/ROUTE:NUMBER")
    group.addoption("--faults-of", action="append", default=[], help="only changes whose name begins so")
    group.addoption("--faults-log", type=Path, help="where verdicts are kept, one JSON object a line")


@pytest.fixture(scope="module")
def bench(
    server_of: Callable[[int | None], Server],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Bench]:
    chosen = os.environ.get("RECONCILER_TEST_MAJOR")
    major = int(chosen) if chosen else None
    plans = Path(pytestconfig.cache.mkdir("faults-plans"))  # type: ignore[union-attr]
    with cluster(major) as running:
        host, port = running.url.get("host"), int(running.url.get("port"))
        made = Bench(
            running, server_of(major), Wire(host, port), Killable(), Killable(), tmp_path_factory.mktemp("faults"), plans
        )  # fmt: skip
        yield made
        made.close()
