"""Servers that we start ourselves: thrown away after use (`scratch`) or kept in a folder (`local`).

Promises that a scratch server ends with its owner, however the owner ends, and that a kept one never loses
data. Never touches a server that somebody else started.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from reconciler.embedded import process
from reconciler.embedded.account import account, runnable
from reconciler.embedded.binaries import Binaries, find
from reconciler.embedded.home import lock, read_record, reap, temporary_home, write_record
from reconciler.embedded.launch import KEPT, THROWN_AWAY, initialise, settings_for, start
from reconciler.errors import Stalled
from reconciler.pg import Secret, Url

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


_OUR_FILES: Final = frozenset(
    {"data", "data.new", "initdb.password", "log", "log.old", "login.json", "login.json.new"}
    | {"server.json", "server.json.new", "starting"}
)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `url` is its superuser's, on the database `postgres`; `directory` holds data and
    log.
    """

    url: Url
    major: int
    binaries: Binaries
    directory: Path
    pid: int


@contextmanager
def scratch(
    major: int | None = None,
    *,
    superuser: str = "reconciler_root",
    settings: Mapping[str, str] = _NONE,
    timezone: str = "UTC",
) -> Iterator[Server]:
    """A fresh, empty server of `major` (None: the newest found); stopped and deleted when the block ends.

    Fast because unsafe: nothing is flushed to disk. `settings` go over ours; publications need
    `wal_level=logical`. `Stalled` when there are no programs of that major or the server does not start.
    """
    reap()
    who = account()
    binaries = runnable(find(major), who)
    with temporary_home(who) as home:
        password = Secret(secrets.token_urlsafe(24))
        initialise(binaries, who, home, superuser, password, keep=False)
        wanted = settings_for(binaries.major, THROWN_AWAY, settings, timezone)
        child, port = start(binaries, who, home, wanted)
        try:
            since = process.started(child.pid)
            write_record(home, {"pid": child.pid, "started": since, "port": port})
            with process.guarded(child.pid, signal_name="QUIT", remove=home):
                yield Server(_url(superuser, password, port), binaries.major, binaries, home, child.pid)
        finally:
            process.stop(child.pid, process.started(child.pid), child=child)


@contextmanager
def local(
    directory: Path,
    major: int | None = None,
    *,
    superuser: str = "postgres",
    keep_running: bool = False,
    settings: Mapping[str, str] = _NONE,
    timezone: str = "UTC",
) -> Iterator[Server]:
    """The server whose data lives in `directory`, made at the first use; password and port stay the same.

    A server that already runs there is used as it is, and left to the process that started it. With
    `keep_running` it goes on after the block; without, it ends with the block or with this process. `Stalled`
    when the folder holds data of another major, of another superuser, or not ours at all.
    """
    directory = directory.absolute()
    who = account()
    _prepare(directory)
    with ExitStack() as until_the_end:
        with lock(directory / "starting", wait=True):
            binaries = runnable(_same_major(directory, major), who)
            login = _login(directory, superuser)
            record = read_record(directory)
            if process.alive(record.get("pid", 0), record.get("started", "")):
                _attach(until_the_end, directory, record)
                pid, port = int(record["pid"]), int(record["port"])
            else:
                if not who.reaches(directory):
                    raise Stalled(
                        f"PostgreSQL refuses root, and uid {who.uid} in its place cannot reach {directory}",
                        hint="choose a folder below /var/lib, or run reconciler as an ordinary user",
                    )
                if not (directory / "data").exists():
                    initialise(binaries, who, directory, superuser, Secret(login["password"]), keep=True)
                wanted = settings_for(binaries.major, KEPT, settings, timezone)
                if (directory / "log").exists():
                    (directory / "log").replace(directory / "log.old")
                child, port = start(binaries, who, directory, wanted, port=int(login.get("port", 0)))
                pid = child.pid
                _remember(directory, {**login, "port": port})
                record = {"pid": pid, "started": process.started(pid), "port": port, "keep": keep_running}
                write_record(directory, record)
                _own(until_the_end, directory, record, child)
        yield Server(
            _url(superuser, Secret(login["password"]), port), binaries.major, binaries, directory, pid
        )


def _own(
    stack: ExitStack, directory: Path, record: dict[str, Any], child: subprocess.Popen[bytes] | None = None
) -> None:
    """From here on the server ends with us, unless it is to go on."""
    if record["keep"]:
        if child is not None:
            # it outlives us on purpose: nobody will wait for it, and Popen need not warn about that
            child.returncode = 0
        return
    stack.enter_context(lock(directory))
    stack.callback(process.stop, record["pid"], record["started"], child=child)
    stack.enter_context(process.guarded(record["pid"], signal_name="INT", remove=None))


def _attach(stack: ExitStack, directory: Path, record: dict[str, Any]) -> None:
    """Uses a running server; one whose owner died becomes ours."""
    try:
        _own(stack, directory, record)
    except BlockingIOError:
        return


def _prepare(directory: Path) -> None:
    if (directory / "PG_VERSION").exists():
        raise Stalled(
            f"{directory} is a PostgreSQL data directory that another program made",
            hint="name an empty folder, or start that server yourself and use its URL",
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.geteuid():
        raise Stalled(f"{directory} belongs to another user", hint="name a folder of your own")
    foreign = sorted(path.name for path in directory.iterdir() if path.name not in _OUR_FILES)
    if foreign:
        raise Stalled(f"{directory} holds other files: {foreign[0]}", hint="name an empty or a new folder")
    if os.geteuid() == 0:
        directory.chmod(0o711)


def _same_major(directory: Path, major: int | None) -> Binaries:
    """The programs for the data that is there; another major is refused, never upgraded in silence."""
    version = directory / "data" / "PG_VERSION"
    if not version.exists():
        return find(major)
    present = int(version.read_text())
    if major not in (None, present):
        raise Stalled(
            f"{directory} holds data of PostgreSQL {present}, not {major}",
            hint=f"use PostgreSQL {present}, or name another folder and copy the data with pg_dump",
        )
    return find(present)


def _login(directory: Path, superuser: str) -> dict[str, Any]:
    """Superuser, password and port, kept in a file that only we can read."""
    path = directory / "login.json"
    if path.exists():
        login: dict[str, Any] = json.loads(path.read_text())
        if login["superuser"] != superuser:
            raise Stalled(
                f"the superuser in {directory} is {login['superuser']}, not {superuser}",
                hint=f"use {login['superuser']}, or name another folder",
            )
        return login
    if (directory / "data").exists():
        raise Stalled(
            f"{path} is missing: nobody knows the password of the data beside it", hint="restore it"
        )
    login = {"superuser": superuser, "password": secrets.token_urlsafe(24)}
    _remember(directory, login)
    return login


def _remember(directory: Path, login: dict[str, Any]) -> None:
    unfinished = directory / "login.json.new"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(login, sort_keys=True))
    unfinished.replace(directory / "login.json")


def _url(superuser: str, password: Secret, port: int) -> Url:
    return Url.of(
        {
            "host": "127.0.0.1",
            "port": str(port),
            "user": superuser,
            "password": password,
            "dbname": "postgres",
            # the server speaks no TLS and lives on this machine: asking first costs a round trip each time
            "sslmode": "disable",
            "gssencmode": "disable",
        }
    )
