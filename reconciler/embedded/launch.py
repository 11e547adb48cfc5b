"""Making a cluster and starting its server: initdb, a free port, and the wait until it answers.

Listens on 127.0.0.1 alone, with a SCRAM password, and opens no Unix socket. The log goes to a file in the
home folder and holds no statements, because statements can hold passwords.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from reconciler.embedded import process
from reconciler.embedded.account import Account
from reconciler.embedded.binaries import Binaries
from reconciler.errors import Stalled
from reconciler.pg import Secret

_PORTS_TRIED = 8
_READY_WITHIN = 120.0
"""Seconds. A server that was killed first repeats its log, which a slow disk can stretch."""

COMMON: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    # pg_dump and a diff lock every table at once; 64 per connection fail at about a thousand tables
    "max_locks_per_transaction": "1024",
    "jit": "off",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "log_min_error_statement": "panic",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
KEPT: Final[Mapping[str, str]] = {**COMMON, "shared_buffers": "128MB"}
THROWN_AWAY: Final[Mapping[str, str]] = {
    **COMMON,
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "bgwriter_lru_maxpages": "0",
    # in the data directory, so that it goes away with it: a killed server leaves its segments in /dev/shm
    "dynamic_shared_memory_type": "mmap",
}


def settings_for(
    major: int, base: Mapping[str, str], chosen: Mapping[str, str], timezone: str
) -> dict[str, str]:
    """The settings of one server: ours, then what 18 brings, then the caller's."""
    newer = {"io_method": "sync"} if major >= 18 else {}
    return {**base, **newer, "timezone": timezone, **chosen}


def initialise(
    binaries: Binaries, who: Account, home: Path, superuser: str, password: Secret, *, keep: bool
) -> None:
    """Runs initdb into `home/data`. The folder appears only when it is complete."""
    unfinished, note = home / "data.new", home / "initdb.password"
    note.touch(mode=0o600)
    note.write_text(password.reveal() + "\n")
    who.give(note)
    try:
        failure = ""
        # left by a process that was killed here: never used, so nothing is lost
        _empty(unfinished)
        # C.UTF-8 sorts by code point and knows letters; where the C library lacks it, C still holds UTF-8
        for locale in ("C.UTF-8", "C"):
            unfinished.mkdir(mode=0o700)
            who.give(unfinished)
            command = [str(binaries.program("initdb")), "-D", str(unfinished), "-U", superuser]
            command += [
                "-A",
                "scram-sha-256",
                f"--pwfile={note}",
                "--encoding=UTF8",
                f"--locale={locale}",
                "--no-instructions",
            ]
            command += ["--locale-provider=libc"] if binaries.major >= 15 else []
            command += [] if keep else ["--no-sync"]
            command += ["--no-data-checksums"] if binaries.major >= 18 and not keep else []
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **who.process
            )
            if done.returncode == 0:
                unfinished.rename(home / "data")
                return
            failure = done.stderr.strip() or done.stdout.strip()
            _empty(unfinished)
            if "locale" not in failure:
                break
    finally:
        note.unlink()
    hint = f"its programs come from {binaries.origin}: {binaries.bin}"
    if "could not look up effective user" in failure:
        # a container started under an arbitrary uid; initdb insists on a name, the server itself does not
        hint = "initdb needs a user with a name: run as a uid that /etc/passwd knows, or give a shadow URL"
    raise Stalled(f"initdb of PostgreSQL {binaries.major} failed: {_last_lines(failure)}", hint=hint)


def start(
    binaries: Binaries, who: Account, home: Path, settings: Mapping[str, str], port: int = 0
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts the server on `port` (0: any free one; also when it is taken) and waits until it answers."""
    log = home / "log"
    for attempt in range(_PORTS_TRIED):
        chosen = port if port and attempt == 0 else _free_port()
        options = [f"-c{name}={value}" for name, value in settings.items()]
        beginning = log.stat().st_size if log.exists() else 0
        log.touch(mode=0o600)
        with log.open("ab") as writer:
            child = subprocess.Popen(
                [binaries.program("postgres"), "-D", home / "data", f"-cport={chosen}", *options],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                # the terminal's Ctrl-C is for us: we stop the server in our own order
                start_new_session=True,
                **who.process,
            )
        if _became_ready(child, home):
            return child, chosen
        said = log.read_bytes()[beginning:].decode(errors="replace")
        if "could not bind" not in said and "could not create any TCP/IP sockets" not in said:
            break
    raise Stalled(
        f"PostgreSQL {binaries.major} did not start: {_last_lines(said)}",
        hint=f"its programs come from {binaries.origin}: {binaries.bin}",
    )


def _became_ready(child: subprocess.Popen[bytes], home: Path) -> bool:
    """Waits for the word that pg_ctl waits for too: the eighth line of postmaster.pid.

    Asking the port instead could reach another program that took it first.
    """
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return False
        try:
            lines = (home / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        if len(lines) >= 8 and lines[0].strip() == str(child.pid) and lines[7].strip() == "ready":
            return True
        time.sleep(0.005)
    process.stop(child.pid, process.started(child.pid), gently=False, child=child)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _empty(folder: Path) -> None:
    """initdb leaves a folder that it did not make itself, emptied; the next attempt makes a new one."""
    if folder.exists():
        for inner in sorted(folder.rglob("*"), reverse=True):
            inner.rmdir() if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        folder.rmdir()


def _last_lines(text: str, count: int = 3) -> str:
    return " / ".join(line.strip() for line in text.strip().splitlines()[-count:]) or "it said nothing"
