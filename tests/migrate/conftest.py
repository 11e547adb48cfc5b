"""A fresh database per test, and a way to it that can be cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from applying import Proxy

from reconciler.pg import Url, connect


@pytest.fixture
def url(database: Callable[..., Url]) -> Url:
    return database()


@pytest.fixture
def proxy(url: Url) -> Iterator[Proxy]:
    running = Proxy(url.get("host"), int(url.get("port")))
    yield running
    running.close()


@pytest.fixture
def through(proxy: Proxy, url: Url) -> Callable[[], psycopg.Connection]:
    """Makes sessions that go through the proxy."""
    return lambda: connect(url.with_options(host="127.0.0.1", port=str(proxy.port)))
