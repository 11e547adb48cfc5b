"""A running server over a board that the test writes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest
from answered import Answer

from reconciler.settings import Listen
from reconciler.web import Board, serving

Ask = Callable[..., Answer]


@pytest.fixture(scope="session")
def _running() -> Iterator[tuple[Board, int]]:
    board = Board()
    with serving(Listen("127.0.0.1", 0), lambda: board.current) as server:
        yield board, server.listen.port


@pytest.fixture
def board(_running: tuple[Board, int]) -> Iterator[Board]:
    """Empty at the start of each test."""
    found = _running[0]
    found.current = type(found.current)()
    yield found


@pytest.fixture
def ask(_running: tuple[Board, int]) -> Ask:
    """`ask("/path")`, `ask("/path", "POST")`: sends the path as it is, without tidying it."""

    def request(path: str, method: str = "GET") -> Answer:
        connection = HTTPConnection("127.0.0.1", _running[1], timeout=60)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, response.msg, response.read().decode())
        finally:
            connection.close()

    return request
