"""The daemon as a process of its own, with its page on a free port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from reconciler.embedded import Server
from reconciler.pg import Url, connect

_PATIENCE = 90.0
"""Seconds until something that must happen counts as not happening: a crowded machine is slow."""


def until(holds: Callable[[], Any], what: str, *, within: float = _PATIENCE) -> Any:
    """Waits until `holds` returns something true, and returns it."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {within} s: {what}")


@dataclass(frozen=True, slots=True)
class Answered:
    code: int
    body: dict[str, Any]


@dataclass
class Daemon:
    """One process. `log` is everything it has written to standard error."""

    process: subprocess.Popen[bytes]
    errors: Path
    page: str = ""

    @property
    def log(self) -> str:
        return self.errors.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log as it writes it with `format: json`."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.page + path, timeout=60) as answer:
            return str(answer.read().decode())

    def post(self, path: str, token: str, name: str = "one", **body: str) -> Answered:
        request = urllib.request.Request(
            f"{self.page}api/v1/databases/{name}/{path}", json.dumps(body).encode() if body else b"", method="POST",
            headers={"authorization": f"Bearer {token}"} | ({"content-type": "application/json"} if body else {}),
        )  # fmt: skip
        # urllib gives every body a type of its own.
        request.add_unredirected_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answered(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            return Answered(error.code, json.loads(error.read()))

    def status(self, name: str = "one") -> dict[str, Any]:
        return dict(json.loads(self.get(f"api/v1/databases/{name}")))

    def condition(self, type: str = "InSync", name: str = "one") -> str:
        """Empty while there is none: the page answers before the databases are known."""
        try:
            status = self.status(name)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return ""
            raise
        found = [c["status"] for c in status["conditions"] if c["type"] == type]
        return str(found[0]) if found else ""

    def metrics(self) -> dict[str, float]:
        pairs = (line.rsplit(" ", 1) for line in self.get("metrics").splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def end(self, number: int = signal.SIGTERM, *, within: float = _PATIENCE) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


@dataclass
class Ground:
    """A folder with declarations and a configuration, and the databases it names."""

    folder: Path
    server: Server
    make: Callable[..., Url]
    urls: dict[str, Url] = field(default_factory=dict)
    running: list[Daemon] = field(default_factory=list)

    @property
    def url(self) -> Url:
        return self.urls["one"]

    def sql(self, text: str, name: str = "one") -> list[tuple[Any, ...]]:
        if name not in self.urls:
            self.urls[name] = self.make()
        with connect(self.urls[name]) as session:
            cursor: psycopg.Cursor[Any] = session.execute(text.encode())
            return cursor.fetchall() if cursor.description is not None else []

    def declare(self, text: str, name: str = "all.sql") -> None:
        path = self.folder / "schema" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(
        self, *names: str, each: Mapping[str, Mapping[str, Any]] | None = None, **common: Any
    ) -> None:
        """A configuration with a database of each name; `each` holds what is particular to one."""
        listed = []
        for name in names or ("one",):
            if name not in self.urls:
                self.urls[name] = self.make()
            told = {
                "name": name, "url": self.urls[name].reveal(), "schema_dir": str(self.folder / "schema"), "check_interval": "1h",
                "lease": "2s", "shadow": self.server.url.reveal(), **common, **(each or {}).get(name, {}),
            }  # fmt: skip
            listed.append(told)
        document = {"databases": listed, "http": {"listen": "127.0.0.1:0"}, "log": {"format": "json"}}
        (self.folder / "reconciler.yaml").write_text(json.dumps(document))

    def start(self, **environment: str) -> Daemon:
        """A daemon over the folder; returns when its page answers."""
        errors = self.folder / f"log{len(self.running)}.txt"
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", "run"],
                cwd=self.folder,
                stderr=file,
                env={**os.environ, **environment},
            )
        daemon = Daemon(process, errors)
        self.running.append(daemon)

        def page() -> str:
            assert process.poll() is None, errors.read_text()
            found = re.search(r"status page: (http\S+)", errors.read_text())
            return found[1] if found else ""

        daemon.page = until(page, "the page is served")
        return daemon


@contextmanager
def mute() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
