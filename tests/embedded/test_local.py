"""A local server: its data, password and port stay, and it is shared, adopted and refused as promised."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from reconciler.embedded import available, local, process
from reconciler.embedded.account import account
from reconciler.embedded.place import best_place
from reconciler.errors import Stalled, Waiting
from reconciler.pg import connect

_OWNER = """
import sys
from pathlib import Path
from reconciler.embedded import local
with local(Path(sys.argv[1]), keep_running=sys.argv[2] == "keep") as server:
    print(server.pid, server.url.port, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that does not exist yet, where the lent uid of root can pass too (tmp_path is 0700)."""
    parent = Path(tempfile.mkdtemp(prefix="reconciler-test-local-", dir=best_place(account())))
    parent.chmod(0o711)
    yield parent / "db"
    shutil.rmtree(parent)


def owner(folder: Path, keep: str = "") -> tuple[subprocess.Popen[str], int]:
    child = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(folder), keep],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    return child, int(child.stdout.readline().split()[0])


def ended(pid: int, since: str) -> bool:
    for _ in range(1200):
        if not process.alive(pid, since):
            return True
        time.sleep(0.05)
    return False


def test_data_password_and_port_stay(folder: Path) -> None:
    with local(folder) as first, connect(first.url) as session:
        assert session.execute("select pg_catalog.current_setting('fsync')").fetchone() == ("on",)
        session.execute("create table public.kept (id int)")
    since = process.started(first.pid)
    assert since == ""
    with pytest.raises(Waiting):
        connect(first.url)
    with local(folder) as second, connect(second.url) as session:
        assert session.execute("select pg_catalog.count(*) from public.kept").fetchone() == (0,)
    assert second.url == first.url
    assert stat.S_IMODE((folder / "login.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_a_second_user_attaches_and_leaves_the_server_to_its_owner(folder: Path) -> None:
    with local(folder) as first:
        with local(folder) as second:
            assert second.pid == first.pid
        with connect(first.url) as session:
            assert session.execute("select 1").fetchone() == (1,)


def test_keep_running_outlives_its_process_and_later_users(folder: Path) -> None:
    child, pid = owner(folder, "keep")
    since = process.started(pid)
    try:
        child.communicate("\n")
        assert child.returncode == 0
        with local(folder) as server:
            assert server.pid == pid
        assert process.alive(pid, since)
    finally:
        process.stop(pid, since)


def test_a_killed_owner_takes_its_server_along(folder: Path) -> None:
    child, pid = owner(folder)
    since = process.started(pid)
    child.kill()
    child.communicate()
    assert ended(pid, since)
    with local(folder) as server, connect(server.url) as session:
        assert session.execute("select 1").fetchone() == (1,)


def test_an_orphan_is_adopted(folder: Path) -> None:
    child, pid = owner(folder)
    since = process.started(pid)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"reconciler-guard" in words and str(pid).encode() in words:
            os.kill(int(entry.name), signal.SIGKILL)
    child.kill()
    child.communicate()
    assert process.alive(pid, since)
    with local(folder) as server:
        assert server.pid == pid
    assert ended(pid, since)


def test_two_first_starts_at_once_make_one_server(folder: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _OWNER, str(folder), ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    lines = [child.stdout.readline() for child in children if child.stdout]
    errors = [child.communicate("\n")[1] for child in children]
    assert errors == ["", ""]
    assert lines[0] == lines[1] != ""


def test_data_of_another_major_is_refused(folder: Path) -> None:
    if len(available()) < 2:
        pytest.skip("needs the programs of two majors")
    one, two = available()[-1].major, available()[-2].major
    with local(folder, one):
        pass
    with pytest.raises(Stalled, match=f"holds data of PostgreSQL {one}, not {two}"), local(folder, two):
        pass
    with local(folder) as server:
        assert server.major == one


def test_another_superuser_is_refused(folder: Path) -> None:
    with local(folder):
        pass
    with pytest.raises(Stalled, match="is postgres, not somebody"), local(folder, superuser="somebody"):
        pass


def test_foreign_folders_are_refused_and_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("x")
    with pytest.raises(Stalled, match=r"holds other files: thesis\.txt"), local(folder):
        pass
    (folder / "thesis.txt").unlink()
    (folder / "PG_VERSION").write_text("16\n")
    with pytest.raises(Stalled, match="another program made"), local(folder):
        pass
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


def test_an_interrupted_initdb_is_begun_again(folder: Path) -> None:
    with local(folder):
        pass
    (folder / "data").rename(folder / "data.new")
    (folder / "data.new" / "PG_VERSION").unlink()
    with local(folder) as server, connect(server.url) as session:
        assert session.execute("select 1").fetchone() == (1,)


def test_a_taken_port_is_replaced(folder: Path) -> None:
    with local(folder) as server:
        port = server.url.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with local(folder) as server:
            assert server.url.port != port
            with connect(server.url) as session:
                assert session.execute("select 1").fetchone() == (1,)


def test_sessions_of_a_crashed_server_fail_and_the_next_start_recovers(folder: Path) -> None:
    with local(folder) as server, connect(server.url) as session:
        session.execute("create table public.kept as select 1 as id")
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            for _ in range(1200):
                session.execute("select pg_catalog.pg_sleep(0.05)")
    with local(folder) as server, connect(server.url) as session:
        assert session.execute("select id from public.kept").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends a uid")
def test_root_says_when_the_lent_uid_cannot_reach_the_folder(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with pytest.raises(Stalled, match="cannot reach"), local(folder):
        pass
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
