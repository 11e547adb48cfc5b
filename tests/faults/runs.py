"""The two ways in which a migration file gets into a database, as processes that can be killed: ours and psql."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import reconciler
from reconciler.pg import Url

HANGS_AFTER = 120.0
"""Seconds within which every run must end, whatever happened to it."""


@dataclass(frozen=True)
class Ended:
    """`status` is the exit status (negative: killed by that signal), `said` the word about its end; `done` is success."""

    status: int
    said: str

    @property
    def done(self) -> bool:
        return self.status == 0 and self.said == "done"


class Run(Protocol):
    """A process at work."""

    def kill(self, number: signal.Signals) -> None: ...

    def going(self) -> bool: ...

    def ended(self) -> Ended: ...


class Killable:
    """Starts our own runs, one at a time."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("killable.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            env={**os.environ, "PYTHONPATH": str(Path(reconciler.__file__).parents[1])},
        )  # fmt: skip
        self._pid = 0
        self._over = True

    def close(self) -> None:
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def start(self, url: Url, file: Path, direction: str, project: Mapping[str, object] | None = None) -> Run:
        """`project` are the settings of the database, for a run of the whole command."""
        told = {"url": url.reveal(), "file": str(file), "direction": direction, "project": project}
        self._say(json.dumps(told))
        self._pid, self._over = int(self._hear()), False
        return self

    def kill(self, number: signal.Signals) -> None:
        """The process stays known until `ended` was asked: nobody else can have its id."""
        os.kill(self._pid, number)

    def going(self) -> bool:
        if not self._over:
            self._over = bool(select.select([self._parent.stdout], [], [], 0)[0])
        return not self._over

    def ended(self) -> Ended:
        assert self._parent.stdout is not None
        said = ""
        if not select.select([self._parent.stdout], [], [], HANGS_AFTER)[0]:
            self.kill(signal.SIGKILL)
            said = "hangs"
        self._hear()
        self._say("reap")
        status, told = json.loads(self._hear())
        self._over = True
        return Ended(status, said or told)

    def _say(self, line: str) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write(line.encode() + b"\n")

    def _hear(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().decode().strip()


@dataclass
class Psql:
    """`psql` on a file, or on one of its sections."""

    program: Path
    process: subprocess.Popen[str] | None = None

    def start(self, url: Url, script: Path) -> Run:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **url.environment()}
        self.process = subprocess.Popen(
            [str(self.program), "-X", "-q", "-f", str(script)], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self

    def kill(self, number: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def going(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ended(self) -> Ended:
        assert self.process is not None
        try:
            _, said = self.process.communicate(timeout=HANGS_AFTER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return Ended(-9, "hangs")
        status = self.process.returncode
        return Ended(status, "done" if status == 0 else f"psql: {said.strip()}")
