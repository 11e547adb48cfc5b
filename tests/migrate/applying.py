"""Migrations to apply, and a proxy that breaks connections at a chosen moment."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from reconciler.model import Migration, Statement
from reconciler.pg import Url, connect
from reconciler.run import Pace

QUICK = Pace(attempts=3, first=0.01, longest=0.05)


def migration(
    up: Sequence[str | Statement],
    down: Sequence[str | Statement] = ("select 1",),
    version: str = "20261123040000",
) -> Migration:
    """A migration of SQL texts; a text that begins with `|` stands outside transactions."""
    return Migration(version, "test", tuple(map(_statement, up)), tuple(map(_statement, down)), "b", "a")


def _statement(sql: str | Statement) -> Statement:
    if isinstance(sql, Statement):
        return sql
    return Statement(sql.removeprefix("|"), "test", transactional=not sql.startswith("|"))


def value(url: Url, sql: str) -> object:
    with connect(url) as session:
        row = session.execute(sql.encode()).fetchone()
    return row[0] if row else None


class Proxy:
    """Passes bytes between clients and a server. `watch` sees every message of a client; when it answers "before"
    or "after", the client's connection is cut before the server gets the message, or once it has answered.
    `pid` replaces the process id that the server announces.
    """

    def __init__(self, host: str, port: int) -> None:
        self.watch: Callable[[bytes], str] = lambda message: ""
        self.pid = 0
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                cut = threading.Event()
                threading.Thread(target=self._up, args=(client, server, cut), daemon=True).start()
                threading.Thread(target=self._down, args=(client, server, cut), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                verdict = self.watch(data)
                if verdict == "before":
                    self._drop(client, server)
                    return
                if verdict == "after":
                    cut.set()
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _down(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if cut.is_set():
                    self._drop(client, server)
                    return
                client.sendall(self._renumbered(data))
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _renumbered(self, data: bytes) -> bytes:
        at = data.find(b"K\x00\x00\x00\x0c")
        return data[: at + 5] + struct.pack("!i", self.pid) + data[at + 9 :] if self.pid and at >= 0 else data

    def _drop(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
