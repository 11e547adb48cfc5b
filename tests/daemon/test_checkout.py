"""The newest commit as a folder: its very bytes, whole or not at all; what git says in words that help; no secret anywhere."""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from processes import mute
from repositories import Repository

from reconciler.engine import git as running
from reconciler.engine.checkout import KEPT, Checkout, used
from reconciler.engine.fetching import fetched, known
from reconciler.errors import ReconcilerError, Stalled, Waiting
from reconciler.settings import Database, GitSource, load

TABLE = "create table t (id integer primary key);\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "reconciler" / "git"


@pytest.fixture
def upstream(tmp_path: Path) -> Repository:
    made = Repository.made(tmp_path / "upstream")
    made.commit({"schema/a.sql": TABLE, "README.md": "not declared"})
    return made


def database(at: Repository | str, **more: object) -> Database:
    address = str(at.folder) if isinstance(at, Repository) else at
    return Database(name="one", source=GitSource.model_validate({"git": address, **more}))


def refusal(kind: type[ReconcilerError], asked: Database) -> str:
    with pytest.raises(kind) as found:
        fetched(asked)
    assert found.value.hint
    return str(found.value)


def test_a_commit_is_a_folder_of_its_very_bytes(upstream: Repository, cache: Path) -> None:
    """Attributes, filters and the line ends of this machine take no part: a file that an archive leaves out is declared all the same."""
    upstream.git("config", "core.autocrlf", "false")
    files = {
        "schema/crlf.sql": "-- a\r\n-- b\r\n",
        "schema/left out.sql": "-- $Id$ left out by an attribute\n",
        "schema/sub/ü.yaml": "# ü\n",
        ".gitattributes": "*.sql export-ignore text eol=lf\n*.yaml export-subst ident\n",
    }
    for name, text in files.items():
        (upstream.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (upstream.folder / name).write_bytes(text.encode())
    commit = upstream.commit({})
    found = fetched(database(upstream))
    assert found.commit == commit and found.origin == f"commit {commit[:8]} of main"
    here = {
        str(path.relative_to(found.schema_dir)): path.read_bytes()
        for path in found.schema_dir.rglob("*")
        if path.is_file()
    }
    said = {name: upstream.git("show", f"{commit}:schema/{name}").encode() for name in here}
    assert {name: text.strip() for name, text in here.items()} == said
    assert set(here) == {"a.sql", "crlf.sql", "left out.sql", "sub/ü.yaml"}
    assert not (found.schema_dir.parent / "README.md").exists()
    assert stat.S_IMODE(next(cache.iterdir()).stat().st_mode) == 0o700
    assert fetched(database(upstream)).schema_dir == found.schema_dir


def test_a_force_push_is_another_commit_and_old_trees_go(upstream: Repository) -> None:
    trees = {fetched(database(upstream)).schema_dir.parent}
    for number in range(KEPT + 2):
        upstream.git("commit", "--quiet", "--amend", "--allow-empty", "--message", f"number {number}")
        found = fetched(database(upstream))
        assert found.commit == upstream.git("rev-parse", "HEAD")
        assert (found.schema_dir / "a.sql").read_text() == TABLE
        trees.add(found.schema_dir.parent)
    assert len(trees) == KEPT + 3 and sum(tree.exists() for tree in trees) == KEPT


def test_a_tree_that_is_used_stays(upstream: Repository) -> None:
    first = fetched(database(upstream))
    with used(first):
        for number in range(KEPT + 1):
            upstream.commit({"schema/b.sql": f"-- {number}\n"})
            fetched(database(upstream))
        assert (first.schema_dir / "a.sql").read_text() == TABLE
    upstream.commit({"schema/b.sql": "-- last\n"})
    fetched(database(upstream))
    assert not first.schema_dir.exists()


def test_a_tree_is_whole_or_not_there(upstream: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended at any file: no folder of the new commit's name. Damaged afterwards: made anew."""
    first = fetched(database(upstream))
    commit = upstream.commit({f"schema/{n}.sql": f"-- {n}\n" for n in range(20)})
    opened, write = 0, Path.open

    def out_of_space(path: Path, mode: str = "r", *more: object, **named: object) -> object:
        nonlocal opened
        opened += mode == "xb"
        if opened == 10:
            raise OSError(28, "No space left on device")
        return write(path, mode, *more, **named)  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", out_of_space)
        assert "No space left" in refusal(Waiting, database(upstream))
    trees = first.schema_dir.parent.parent
    assert [path.name for path in trees.iterdir()] == [first.commit]
    found = fetched(database(upstream))
    assert found.commit == commit and len(list(found.schema_dir.iterdir())) == 21
    (found.schema_dir / "3.sql").write_text("")
    (found.schema_dir / "4.sql").unlink()
    again = fetched(database(upstream))
    assert (again.schema_dir / "3.sql").read_text() == "-- 3\n" and (again.schema_dir / "4.sql").exists()


FETCHING = (
    "import sys; from reconciler.engine.fetching import fetched; from reconciler.settings import Database, GitSource;"
    "asked = Database(name='one', source=GitSource.model_validate({'git': sys.argv[1]})); print(flush=True); fetched(asked)"
)


def test_killed_at_any_moment_no_tree_is_half_there(upstream: Repository, cache: Path) -> None:
    names, texts = range(100), {}
    for number in range(10):
        text = f"-- {number}\n" * 50
        texts[upstream.commit({f"schema/{name}.sql": text for name in names})] = text
        command = [sys.executable, "-c", FETCHING, str(upstream.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.15))
            process.kill()
        for tree in cache.glob("*/trees/one/[0-9a-f]*"):
            assert [(tree / "schema" / f"{name}.sql").read_text() for name in names] == [
                texts[tree.name]
            ] * len(names)
    assert fetched(database(upstream)).commit == upstream.git("rev-parse", "HEAD")


def test_nothing_is_removed_under_its_name(
    upstream: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end in the middle of a removal leaves no tree with half of its files."""
    removed: list[str] = []
    remove = shutil.rmtree

    def watched(path: Path, **options: bool) -> None:
        if path.parent.name == "one":
            removed.append(path.name)
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)
    for number in range(KEPT + 2):
        upstream.commit({"schema/a.sql": f"-- {number}\n"})
        fetched(database(upstream))
    assert len(list(cache.glob("*/trees/one/[0-9a-f]*"))) == KEPT
    assert len(removed) == 2 and all(name.startswith(".old-") for name in removed)


def test_many_at_once_get_the_same_whole_tree(upstream: Repository) -> None:
    """Threads here; processes hold the same lock."""
    found: list[Database] = []
    threads = [threading.Thread(target=lambda: found.append(fetched(database(upstream)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({one.schema_dir for one in found}) == 1 and len(found) == 6


def test_what_the_loop_wrote_is_carried_along_and_what_was_deleted_is_not(upstream: Repository) -> None:
    upstream.commit({"schema/migrations/20260101000000_reviewed.sql": "-- reviewed\n"})
    before = fetched(database(upstream))
    (before.migrations / "20260102000000_proposed.sql").write_text("-- proposed\n")
    upstream.commit({"schema/migrations/20260101000000_reviewed.sql": None, "schema/b.sql": "-- b\n"})
    after = fetched(database(upstream))
    assert after.commit != before.commit
    assert [path.name for path in after.migrations.iterdir()] == ["20260102000000_proposed.sql"]


def test_what_a_tree_cannot_safely_have_is_refused(upstream: Repository) -> None:
    (upstream.folder / "schema" / "link.sql").symlink_to("/etc/passwd")
    upstream.commit({})
    assert "link.sql in commit" in refusal(Stalled, database(upstream))
    upstream.commit({"schema/link.sql": None})
    upstream.git("branch", "feature")
    assert "has no folder db/schema" in refusal(Stalled, database(upstream, path="db/schema"))
    assert "has no branch other" in refusal(Stalled, database(upstream, branch="other"))
    assert fetched(database(upstream, branch="feature")).commit
    name = upstream.git("hash-object", "-w", "schema/a.sql")
    inner = subprocess.run(
        ["git", "-C", str(upstream.folder), "mktree", "--missing"], input=f"100644 blob {name}\t..\n", text=True, capture_output=True,
    ).stdout.strip()  # fmt: skip
    outer = subprocess.run(
        ["git", "-C", str(upstream.folder), "mktree"], input=f"040000 tree {inner}\tschema\n", text=True, capture_output=True,
    ).stdout.strip()  # fmt: skip
    upstream.git("update-ref", "refs/heads/evil", upstream.git("commit-tree", outer, "-m", "evil"))
    assert "cannot be unpacked" in refusal(Stalled, database(upstream, branch="evil"))


def test_a_repository_that_went_leaves_the_last_commit_in_force(upstream: Repository) -> None:
    commit = fetched(database(upstream)).commit
    upstream.folder.rename(upstream.folder.with_name("away"))
    assert "there is no repository" in refusal(Stalled, database(upstream))
    found = known(database(upstream))
    assert found.database.commit == commit and isinstance(found.trouble, Stalled) and found.hindrance is None
    fresh = known(database(upstream, branch="never"))
    assert fresh.database.commit == "" and fresh.hindrance is fresh.trouble is not None
    upstream.folder.with_name("away").rename(upstream.folder)
    assert known(database(upstream)).trouble is None


def test_what_an_end_in_the_middle_left_is_no_hindrance(upstream: Repository, cache: Path) -> None:
    fetched(database(upstream))
    (bare,) = cache.glob("*/repository.git")
    (bare / "shallow.lock").touch()
    (bare / "refs" / "reconciler" / "declared.lock").touch()
    new = upstream.commit({"schema/b.sql": "-- b\n"})
    assert fetched(database(upstream)).commit == new
    for pack in (bare / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"")
    newest = upstream.commit({"schema/c.sql": "-- c\n"})
    assert fetched(database(upstream)).commit == newest


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.git, "__kwdefaults__", {**running.git.__kwdefaults__, "patience": 1.0})
    with mute() as port:
        began = time.monotonic()
        assert "took longer than" in refusal(Waiting, database(f"http://127.0.0.1:{port}/x.git"))
        assert time.monotonic() - began < 10
    assert "cannot be reached" in refusal(Waiting, database(f"http://127.0.0.1:{port}/x.git"))


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in refusal(Stalled, database("https://git.invalid/x.git"))


@contextmanager
def asking(seen: list[str]) -> Iterator[str]:
    """A server that lets nobody in, and remembers what it was shown."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("authorization") or "")
            time.sleep(0.3)
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_token_reaches_its_server_and_is_seen_nowhere_else(tmp_path: Path, cache: Path) -> None:
    """Not on a command line, in a message, in a file, in what is printed of the configuration."""
    seen: list[str] = []
    token = "t0ken-of-somebody"
    lines: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for process in Path("/proc").iterdir():
                with suppress(OSError):  # not a process, or one that has ended meanwhile
                    lines.add((process / "cmdline").read_bytes().decode(errors="replace"))

    with asking(seen) as host:
        (tmp_path / "reconciler.yaml").write_text(
            json.dumps(
                {"databases": [{"name": "one", "source": {"git": f"http://robot:${{TOKEN}}@{host}/x.git"}}]}
            )
        )
        config = load(cwd=tmp_path, environ={"TOKEN": token})
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            says = refusal(Stalled, config.database())
        finally:
            over.set()
            watcher.join()
    assert "refuses the login" in says and token not in says and "${VARIABLE}" in says
    assert any(one.startswith("Basic ") and token in b64decode(one[6:]).decode() for one in seen)
    asked = [line for line in lines if host in line and "git" in line]
    assert asked and not any(token in line for line in lines)
    assert token not in repr(config) + config.model_dump_json() + str(config.database().source)
    kept = b"".join(path.read_bytes() for path in cache.rglob("*") if path.is_file())
    assert token.encode() not in kept


def test_nothing_of_the_surroundings_leads_git_elsewhere(
    upstream: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Variables of a hook that we were started in, and hooks of the account."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    hook = hooks / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o700)
    account = tmp_path / "gitconfig"
    account.write_text(f"[core]\n\thooksPath = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(account))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    assert fetched(database(upstream)).commit == Repository(upstream.folder).git("rev-parse", "HEAD")
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "gitconfig", "hooks", "upstream"}
    assert os.environ["GIT_DIR"]


def test_two_databases_of_one_branch_have_trees_of_their_own(upstream: Repository) -> None:
    one, two = database(upstream), database(upstream).model_copy(update={"name": "two"})
    assert fetched(one).schema_dir != fetched(two).schema_dir
    assert one.source is not None
    assert fetched(one).schema_dir.is_relative_to(Checkout(one.source).home)
    assert fetched(two).schema_dir.is_relative_to(Checkout(one.source).home)
