"""Those who connect and say nothing, say it slowly, or do not listen: they go, and everybody else is answered."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from statuses import BAD, GOOD

from reconciler.settings import Listen
from reconciler.web import Board, Published, patience, serving

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    """A server of its own, with one large page: `/databases/bad` has some megabytes."""
    differences = [{"verb": "alter", "kind": "function", "id": f"f{n}", "live": {"body": "x" * 30_000}, "declared": None} for n in range(300)]  # fmt: skip
    large = replace(BAD, facts={"differences": differences})
    board = Board(Published((GOOD, large)))
    with serving(Listen("127.0.0.1", 0), lambda: board.current) as server:
        yield server.listen.port


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def healthy(port: int, within: float = 8.0) -> bool:
    began = time.monotonic()
    with dial(port) as one:
        one.sendall(GET + b"Connection: close\r\n\r\n")
        return one.recv(65536).startswith(b"HTTP/1.1 200") and time.monotonic() - began < within


def ended(one: socket.socket, within: float) -> bool:
    """Whether the server hangs up in time. What it sends before is read."""
    end = time.monotonic() + within
    try:
        while (left := end - time.monotonic()) > 0:
            one.settimeout(left)
            if not one.recv(65536):
                return True
    except ConnectionError:
        return True
    except TimeoutError:
        pass
    return False


@pytest.mark.parametrize("begun", [b"", b"GET /heal", GET])
@pytest.mark.parametrize("count", [50, 3 * patience.MOST])
def test_connections_that_say_nothing_keep_nobody_out(port: int, count: int, begun: bytes) -> None:
    with ExitStack() as held:
        silent = []
        for _ in range(count):
            one = held.enter_context(dial(port))
            with suppress(ConnectionError):
                one.sendall(begun)
            silent.append(one)
        assert all(healthy(port) for _ in range(20))
        if count < patience.MOST:
            assert not any(ended(one, 0.001) for one in silent)
        else:  # those that have been silent longest went, and no others
            gone = [ended(one, 0.05) for one in silent]
            assert gone == sorted(gone, reverse=True)
            assert patience.MOST - 25 <= gone.count(False) <= patience.MOST


def test_a_head_that_does_not_come_in_time_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "HEAD", 0.5)
    with dial(port) as silent, dial(port) as dripping:
        dripping.settimeout(0.05)
        began = time.monotonic()
        gone = False
        while not gone and time.monotonic() - began < 9:
            try:
                dripping.sendall(b"G")
                gone = not dripping.recv(10)
            except TimeoutError:
                continue
            except ConnectionError:
                gone = True
        assert gone and time.monotonic() - began < 8
        assert ended(silent, 8)


def test_a_body_that_nobody_asked_for_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD", 0.5)
    with dial(port) as one:
        one.sendall(GET + b"Content-Length: 1000000\r\n\r\n")
        assert one.recv(65536).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 9:
                one.sendall(b"x")
                time.sleep(0.02)
        assert time.monotonic() - began < 8


def test_a_connection_that_is_used_stays(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD", 2.0)
    with dial(port) as one:
        for _ in range(5):
            one.sendall(GET + b"\r\n")
            found = b""
            while not found.endswith(b"ok\n"):
                found += one.recv(65536)
            assert found.startswith(b"HTTP/1.1 200")
            time.sleep(0.6)
        one.sendall((GET + b"\r\n") * 30)  # all at once
        found = b""
        while found.count(b"HTTP/1.1 200") < 30:
            part = one.recv(65536)
            assert part
            found += part
        assert ended(one, 8)


def test_who_does_not_take_the_answer_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TAKING", 0.5)
    with ExitStack() as held:
        deaf = []
        for _ in range(10):
            one = held.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(10)
            one.connect(("127.0.0.1", port))
            one.sendall(b"GET /databases/bad HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deaf.append(one)
        assert healthy(port)
        time.sleep(4)
        taken = 0
        with suppress(ConnectionError):
            while part := deaf[0].recv(1_000_000):
                taken += len(part)
        assert 0 < taken < 8_000_000  # of nine millions


def test_who_takes_it_slowly_gets_all_of_it(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TAKING", 1.5)
    monkeypatch.setattr(patience, "HEAD", 1.5)
    with dial(port) as one:
        one.sendall(b"GET /databases/bad HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        found, paused = 0, 0.0
        while part := one.recv(200_000):
            found += len(part)
            time.sleep(0.08)
            paused += 0.08
        assert found > 8_000_000
        assert paused > 2 * patience.TAKING


def test_a_head_that_is_too_large_is_refused(port: int) -> None:
    """What comes at once is read at once; what is kept until the rest comes has a limit."""
    for begun in (b"GET /" + b"a" * 20_000, GET + b"X: " + b"a" * 20_000, GET + b"X: a\r\n" * 4_000):
        with dial(port) as one:
            one.sendall(begun)
            assert one.recv(65536).startswith(b"HTTP/1.1 400")
    assert healthy(port)
