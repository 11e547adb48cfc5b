"""The newest commit of a branch as a folder of files: fetched by git, unpacked beside the ones before.

Under `$XDG_CACHE_HOME/reconciler/git`, for its owner alone: one bare, shallow repository for each URL and branch, and for each
database that declares from it a folder of trees named by their commits. Promises that a tree has all of its files from the moment
it has its name, and that they are the very bytes of the commit: no attribute, filter or link of the repository takes part. What the
loop itself wrote among the migrations is carried along. Losing the folder costs a fetch.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from reconciler.engine import cache
from reconciler.engine.git import PATIENCE, Failed, explained, git
from reconciler.errors import Stalled, Waiting
from reconciler.settings import Database, GitSource

KEPT = 4
"""How many trees of a database stay, beside those that somebody uses."""
_REF = "refs/reconciler/declared"
_LIST = ".files-of-the-commit"
"""In a tree: the paths that came with its commit. What is there beside them was written by the loop."""


class Checkout:
    """One URL and branch on this machine. Safe in several threads and processes: a lock of the file system keeps them apart."""

    def __init__(self, source: GitSource) -> None:
        self.source = source
        digest = hashlib.sha256(f"{source.git}\0{source.branch}".encode()).hexdigest()[:24]
        self.home = cache.folder() / "git" / digest
        self.bare = self.home / "repository.git"

    def fetch(self) -> str:
        """The newest commit of the branch. Raises Waiting when the repository cannot be reached, Stalled when a person must act."""
        with self.locked() as held:
            try:
                self._fetch(held)
            except Failed as failed:
                error = explained(failed, self.source.git, self.source.branch)
                if not self._is_ours(failed):
                    raise error from None
                shutil.rmtree(self.bare, ignore_errors=True)  # what an end in the middle left is no loss
                try:
                    self._fetch(held)
                except Failed as again:
                    raise explained(again, self.source.git, self.source.branch) from None
            return self._known(held)

    def last(self) -> str:
        """The commit that was fetched last, without asking anybody; empty when there is none."""
        if not self.bare.is_dir():
            return ""
        with self.locked() as held, suppress(Failed):
            return self._known(held)
        return ""

    def tree(self, database: Database, commit: str) -> Path:
        """The folder with the files of that commit for this database; the same one each time. Raises Stalled for a commit without
        the folder that is declared, or with files that no folder can safely have."""
        trees = self.home / "trees" / database.name
        with self.locked() as held:
            trees.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                return self._unpacked(trees, database, commit, held)
            except Failed as failed:
                shutil.rmtree(self.bare, ignore_errors=True)
                raise Waiting(
                    f"commit {commit[:8]} cannot be read: {failed.says}", hint="it is fetched again"
                ) from None
            except OSError as error:
                raise Waiting(
                    f"commit {commit[:8]} cannot be unpacked: {error}", hint="is the disk full?"
                ) from None

    @contextmanager
    def locked(self) -> Iterator[tuple[int, ...]]:
        """Nobody else works in the repository. A git that outlives us holds the lock on."""
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.home.stat().st_uid != os.geteuid():
                raise Stalled(
                    f"{self.home} belongs to somebody else",
                    hint="set XDG_CACHE_HOME to a folder of this account",
                )
            handle = os.open(self.home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Stalled(
                f"nothing can be kept in {self.home}: {error.strerror}",
                hint="set XDG_CACHE_HOME to a folder that can be written",
            ) from None
        try:
            end = time.monotonic() + PATIENCE
            while not _taken(handle):
                if time.monotonic() > end:
                    raise Waiting(f"another process works in {self.home}", hint="it is tried again")
                time.sleep(0.05)
            yield (handle,)
        finally:
            os.close(handle)

    def own(
        self,
        *arguments: str,
        held: tuple[int, ...],
        input: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        asks: bool = False,
    ) -> bytes:
        """git in our bare repository; `asks` says that it talks to the other one, and may log in there."""
        return git(
            f"--git-dir={self.bare}", *arguments, held=held, input=input, environment=environment,
            repository=self.source.git if asks else None,
        )  # fmt: skip

    def _fetch(self, held: tuple[int, ...]) -> None:
        if not (self.bare / "HEAD").is_file():
            shutil.rmtree(self.bare, ignore_errors=True)
            git("init", "--quiet", "--bare", "--template=", str(self.bare), held=held)
        for stale in (*self.bare.glob("*.lock"), *(self.bare / "refs").rglob("*.lock")):
            stale.unlink(missing_ok=True)  # whoever made it is gone: we hold the lock
        before = self._known(held, missing="")
        self.own(
            "fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--",
            str(self.source.git), f"+refs/heads/{self.source.branch}:{_REF}", held=held, asks=True,
        )  # fmt: skip
        if before not in ("", self._known(held)):
            with suppress(Failed, Waiting):
                self.own(
                    "-c", "gc.auto=500", "-c", "gc.pruneExpire=now", "gc", "--auto", "--quiet", held=held
                )

    def _known(self, held: tuple[int, ...], missing: str | None = None) -> str:
        try:
            return (
                self.own("rev-parse", "--verify", "--quiet", f"{_REF}^{{commit}}", held=held).decode().strip()
            )
        except Failed:
            if missing is None:
                raise
            return missing

    def _is_ours(self, failed: Failed) -> bool:
        """Whether the fault lies in our own copy: then git itself finds it wanting."""
        try:
            git(f"--git-dir={self.bare}", "rev-parse", "--is-bare-repository")
            if commit := self._known((), missing=""):
                git(f"--git-dir={self.bare}", "ls-tree", "-r", commit)
        except Failed:
            return True
        return any(
            word in failed.says
            for word in ("shallow", "bad object", "corrupt", "unable to read", "missing blob")
        )

    def _unpacked(self, trees: Path, database: Database, commit: str, held: tuple[int, ...]) -> Path:
        folder = trees / commit
        names = self._names(database, commit, held)
        contents = dict(zip(names, self.contents(list(names.values()), held), strict=True))
        if folder.is_dir():
            if all(_same(folder / path, content) for path, content in contents.items()):
                os.utime(folder)
                return folder
            # It is not what the commit says (somebody edited it, or the machine went down over it): made anew.
            _nameless(folder)
        for left in trees.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=trees))
        try:
            for path, content in contents.items():
                (fresh / path).parent.mkdir(parents=True, exist_ok=True)
                with (fresh / path).open("xb") as file:
                    file.write(content)
            _carry(trees, fresh, migrations_in(database), contents)
            (fresh / _LIST).write_text("\0".join(contents), errors="surrogateescape")
            fresh.rename(folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        os.utime(folder)
        for old in _newest_first(trees)[KEPT:]:
            _removed(old)
        return folder

    def _names(self, database: Database, commit: str, held: tuple[int, ...]) -> dict[str, str]:
        """The files of the commit that are unpacked, and what git calls their contents."""
        assert database.source is not None
        top = database.source.path
        asked = sorted({top, migrations_in(database)} - {""}) if top else []
        listed = self.own("ls-tree", "-r", "-z", "--full-tree", commit, "--", *asked, held=held)
        found = {}
        for line in filter(None, listed.decode(errors="surrogateescape").split("\0")):
            what, _, path = line.partition("\t")
            mode, kind, name = what.split()
            if mode == "120000" and PurePosixPath(path).suffix.lower() in ("", ".sql", ".yaml", ".yml"):
                raise Stalled(
                    f"{path} in commit {commit[:8]} is a link, which is not followed",
                    hint="commit the file or folder itself",
                )
            if kind != "blob" or mode == "120000":  # a submodule is none of the declarations
                continue
            if path.startswith("/") or {"..", ".", ".git", ""} & set(path.lower().split("/")):
                raise Stalled(f"commit {commit[:8]} holds a file that cannot be unpacked", hint="rename it")
            found[path] = name
        if not any(path.startswith(f"{top}/" if top else "") for path in found):
            raise Stalled(
                f"commit {commit[:8]} of {self.source.branch} has no folder {top or 'with files'}",
                hint="set source.path to the folder of the declarations, or commit it",
            )
        return found

    def contents(self, names: list[str], held: tuple[int, ...]) -> list[bytes]:
        """What git keeps under these names, byte for byte."""
        asked = "".join(f"{name}\n" for name in names).encode()
        answer = self.own("cat-file", "--batch", held=held, input=asked)
        found, at = [], 0
        for name in names:
            end = answer.find(b"\n", at)
            words = answer[at:end].split()
            if len(words) != 3:
                raise Failed(f"{name} is missing", 1)
            at = end + 1 + int(words[2]) + 1
            found.append(answer[end + 1 : at - 1])
        return found


def migrations_in(database: Database) -> str:
    """The folder of the migrations within the repository; empty when it is elsewhere. `database` as it was configured."""
    assert database.source is not None
    own = database.migrations_dir
    if own is None:
        return f"{database.source.path}/migrations".lstrip("/")
    return "" if own.is_absolute() else own.as_posix()


def _carry(trees: Path, fresh: Path, migrations: str, now: Container[str]) -> None:
    """Takes the migrations along that the loop wrote into the tree before."""
    for old in _newest_first(trees)[:1] if migrations else ():
        came = set((old / _LIST).read_text(errors="surrogateescape").split("\0"))
        for file in sorted((old / migrations).glob("*.sql")):
            path = f"{migrations}/{file.name}"
            if path not in now and path not in came:
                (fresh / migrations).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, fresh / path)


@contextmanager
def used(database: Database) -> Iterator[None]:
    """While this lasts, the files of its commit stay, however many commits come meanwhile."""
    if database.tree is None:
        yield
        return
    try:
        handle = os.open(database.tree, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Waiting(f"the files of {database.origin} are gone", hint="they are fetched again") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _removed(tree: Path) -> None:
    handle = os.open(tree, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _taken(handle):
            shutil.rmtree(_nameless(tree), ignore_errors=True)
    finally:
        os.close(handle)


def _nameless(tree: Path) -> Path:
    """Takes the commit's name off a tree, so that half of it is never found under it; what is left goes with the next one."""
    return tree.rename(tree.with_name(f".old-{time.monotonic_ns()}"))


def _newest_first(trees: Path) -> list[Path]:
    found = [path for path in trees.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _same(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
