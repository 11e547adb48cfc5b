"""A scratch server: what it promises while it runs, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from reconciler.embedded import Server, find, process, reap, scratch
from reconciler.errors import Stalled
from reconciler.pg import Url, connect, notices

pytestmark = pytest.mark.filterwarnings("error")

_OWNER = """
import sys, time
from reconciler.embedded import scratch
with scratch() as server:
    print(server.pid, server.directory, server.url.port, flush=True)
    sys.stdin.readline()
"""


def gone(path: Path) -> bool:
    """Waits for another process to remove a folder; false when it is still there after a generous time."""
    for _ in range(1200):
        if not path.exists():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def owner(**popen: object) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """Another process that holds a scratch server until it is told to end."""
    child = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **popen,  # type: ignore[call-overload]
    )
    try:
        pid, directory, _ = child.stdout.readline().split()
        yield child, int(pid), Path(directory)
    finally:
        child.kill()
        child.communicate()


@pytest.mark.majors
def test_every_major_runs_in_utc_with_utf8_and_asks_for_the_password(server: Server) -> None:
    with connect(server.url) as session:
        assert session.info.server_version // 10000 == server.major
        row = session.execute(
            "select pg_catalog.current_setting('timezone'), pg_catalog.current_setting('server_encoding'),"
            " pg_catalog.current_setting('max_locks_per_transaction'), pg_catalog.upper('é')"
        ).fetchone()
    assert row == ("UTC", "UTF8", "1024", "É")
    with pytest.raises(Stalled, match="refused the user name or the password"):
        connect(server.url.with_options(password="wrong"))


@pytest.mark.majors
def test_client_programs_of_the_same_or_a_newer_major_are_found(server: Server) -> None:
    for name in ("pg_dump", "psql"):
        answer = subprocess.run([server.binaries.program(name), "--version"], capture_output=True, text=True)
        assert (
            int(answer.stdout.split()[-1 if "Debian" not in answer.stdout else 2].split(".")[0])
            >= server.major
        )


def test_settings_and_time_zone_are_the_callers() -> None:
    with (
        scratch(timezone="Asia/Kolkata", settings={"wal_level": "logical"}, superuser="Queen") as server,
        connect(server.url) as session,
    ):
        assert server.url.user == "Queen"
        with notices(session) as said:
            session.execute("create publication everything for all tables")
        assert said == []
        row = session.execute(
            "select pg_catalog.current_setting('timezone'), pg_catalog.current_setting('wal_level')"
        ).fetchone()
        assert row == ("Asia/Kolkata", "logical")


def test_nothing_stays_after_the_block() -> None:
    with scratch() as server:
        since = process.started(server.pid)
        assert process.alive(server.pid, since)
        assert stat.S_IMODE((server.directory / "data").stat().st_mode) == 0o700
    assert not server.directory.exists()
    assert not process.alive(server.pid, since)


def test_open_sessions_do_not_keep_the_server() -> None:
    with scratch() as server:
        session = psycopg.connect(server.url.reveal())
        session.execute("select 1")
    session.close()
    assert not server.directory.exists()


def test_an_error_in_the_block_also_ends_the_server() -> None:
    with pytest.raises(ZeroDivisionError), scratch() as server:
        1 / 0  # noqa: B018
    assert not server.directory.exists()


def test_a_server_does_not_start_with_a_setting_that_does_not_exist() -> None:
    with (
        pytest.raises(Stalled, match="unrecognized configuration parameter"),
        scratch(settings={"nonsense": "1"}),
    ):
        pass


def test_two_processes_have_two_servers() -> None:
    with owner() as (_, one, first), owner() as (_, two, second):
        assert one != two
        assert first != second
        assert not {str(first), str(second)} & set(reap())  # another test may have left something to remove
        assert first.exists()
        assert second.exists()


def test_a_killed_owner_leaves_nothing() -> None:
    with owner() as (child, pid, directory):
        since = process.started(pid)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert gone(directory)
    assert not process.alive(pid, since)


def test_reap_removes_what_the_guard_could_not() -> None:
    with owner() as (child, pid, directory):
        since = process.started(pid)
        guards = [
            int(entry.name)
            for entry in Path("/proc").glob("[0-9]*")
            if str(directory).encode() in _command_line(entry) and b"reconciler-guard" in _command_line(entry)
        ]
        assert len(guards) == 1
        os.kill(guards[0], signal.SIGKILL)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert process.alive(pid, since)
        assert str(directory) in reap()
        assert not process.alive(pid, since)
        assert not directory.exists()


def _command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_pid_used_again_is_not_hit() -> None:
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    try:
        process.stop(bystander.pid, "another start time", gently=False)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_log_holds_no_statement() -> None:
    with scratch() as server, connect(server.url) as session:
        with pytest.raises(psycopg.errors.SyntaxError):
            session.execute("create role x pasword 'tr0ub4dor'")
        assert "tr0ub4dor" not in (server.directory / "log").read_text()
        assert "unrecognized role option" in (server.directory / "log").read_text()


def test_a_missing_major_says_what_to_install() -> None:
    with pytest.raises(Stalled, match=r"(?s)PostgreSQL 13 were found.*RECONCILER_PG_BIN_13"):
        find(13)


def test_the_url_of_a_server_hides_its_password() -> None:
    with scratch() as server:
        assert isinstance(server.url, Url)
        assert server.url.password
        assert server.url.password.reveal() not in repr(server)
