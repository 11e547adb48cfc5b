"""A wire between clients and a server that can be held, cut and frozen at any message.

Knows the frames of PostgreSQL's protocol (manual, "Message Formats"): a request of a client ends with Query or Sync, its answer
with ReadyForQuery. Faults concern the *main* line: the first connection since `begin` of an application that is named there. All others pass.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["before", "after"]
Verdict = Literal["go", "cut", "freeze"]
_WITHIN_A_REQUEST = (b"P", b"B", b"D", b"E", b"C")
_CANCEL = 80877102


@dataclass
class Gate:
    """Holds the main line before request `at` reaches the server, or before its answer reaches the client. With `sql` it is the
    request of that text, whichever number it has this time.
    """

    at: int
    side: Side
    sql: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    verdict: queue.SimpleQueue[Verdict] = field(default_factory=queue.SimpleQueue)


@dataclass(frozen=True)
class Sent:
    """A request that the main line carried, and how long its answer took."""

    sql: str
    seconds: float


@dataclass
class Limit:
    """The main line is cut after so many bytes one way."""

    way: Literal["up", "down"]
    left: int


class Line:
    """One connection through the wire."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.pid = 0
        self.requests = self.answers = 0
        self.bytes = {"up": 0, "down": 0}
        self.frozen, self.over = threading.Event(), threading.Event()
        self.closed = 0

    def drop(self) -> None:
        """Both ends learn at once that the other one is gone."""
        self.over.set()
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Wire:
    """Listens on `port` of 127.0.0.1."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self.main: Line | None = None
        self.trace: list[Sent] = []
        self._name = ""
        self._gate: Gate | None = None
        self._limit: Limit | None = None
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def begin(self, *, gate: Gate | None = None, limit: Limit | None = None, name: str = "") -> None:
        """The next connection of an application of that name is the main line; what is frozen stays so."""
        with self._lock:
            self.main, self.trace, self._gate, self._limit, self._name = None, [], gate, limit, name

    def cut(self) -> None:
        if self.main is not None:
            self.main.drop()

    def freeze(self) -> Line | None:
        """From now on nothing passes the main line, and neither end is told."""
        if self.main is not None:
            self.main.frozen.set()
        return self.main

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for line in list(self._lines):
            line.drop()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:  # the server is just starting: so it is for the client
                    client.close()
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = Line(client, server)
                with self._lock:
                    self._lines.append(line)
                for pump in (self._up, self._down):
                    threading.Thread(target=self._pumped, args=(pump, line), daemon=True).start()

    def _pumped(self, pump: object, line: Line) -> None:
        with suppress(OSError):
            pump(line)  # type: ignore[operator]
        if line.frozen.is_set():
            line.over.wait()
        line.drop()
        with self._lock:
            line.closed += 1
            if line.closed == 2:
                line.client.close()
                line.server.close()
                self._lines.remove(line)

    def _up(self, line: Line) -> None:
        pending = request = b""
        sql, started = "", False
        while data := line.client.recv(65536):
            pending += data
            while message := _message(pending, typed=started):
                pending = pending[len(message) :]
                request += message
                if not started:
                    started = struct.unpack_from("!i", message, 4)[0] != _CANCEL
                    with self._lock:
                        if self.main is None and b"application_name\0" + self._name.encode() in message:
                            self.main = line
                elif message[:1] in (b"Q", b"P"):
                    start = 5 if message[:1] == b"Q" else message.index(b"\0", 5) + 1
                    sql = message[start : message.index(b"\0", start)].decode(errors="replace")
                if started and message[:1] in _WITHIN_A_REQUEST:
                    continue
                if started and message[:1] in (b"Q", b"S"):
                    number, line.requests = line.requests, line.requests + 1
                    if line is self.main:
                        self.trace.append(Sent(sql, time.monotonic()))
                    if not self._passes(line, number, "before"):
                        return
                if not self._forward(line, "up", line.server, request):
                    return
                request = b""

    def _down(self, line: Line) -> None:
        pending, ready = b"", False
        while data := line.server.recv(65536):
            pending += data
            whole = b""
            while message := _message(pending, typed=True):
                pending = pending[len(message) :]
                if message[:1] == b"K":
                    line.pid = struct.unpack_from("!i", message, 5)[0]
                elif message[:1] == b"Z" and ready:
                    number, line.answers = line.answers, line.answers + 1
                    if line is self.main and number < len(self.trace):
                        sent = self.trace[number]
                        self.trace[number] = Sent(sent.sql, time.monotonic() - sent.seconds)
                    if not self._passes(line, number, "after"):
                        return
                elif message[:1] == b"Z":
                    ready = True
                whole += message
            if not self._forward(line, "down", line.client, whole):
                return

    def _passes(self, line: Line, number: int, side: Side) -> bool:
        gate = self._gate
        if gate is not None and line is self.main and gate.side == side and self._meant(gate, number):
            self._gate = None
            gate.reached.set()
            verdict = gate.verdict.get()
            if verdict == "freeze":
                line.frozen.set()
            return verdict == "go"
        return True

    def _meant(self, gate: Gate, number: int) -> bool:
        return self.trace[number].sql == gate.sql if gate.sql else gate.at == number

    def _forward(self, line: Line, way: Literal["up", "down"], to: socket.socket, data: bytes) -> bool:
        if line.frozen.is_set():
            return False
        line.bytes[way] += len(data)
        limit = self._limit
        if limit is not None and line is self.main and limit.way == way:
            data, limit.left = data[: limit.left], limit.left - len(data)
            if limit.left <= 0:
                with suppress(OSError):
                    to.sendall(data)
                return False
        to.sendall(data)
        return True


def _message(data: bytes, *, typed: bool) -> bytes:
    """The first whole message, or nothing yet. Only the very first of a client has no type."""
    start = 1 if typed else 0
    if len(data) < start + 4:
        return b""
    end = start + int(struct.unpack_from("!i", data, start)[0])
    return data[:end] if len(data) >= end else b""
