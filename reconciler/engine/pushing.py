"""A proposed migration as a commit on a branch of its own, for people to review and merge.

Promises one commit on top of what is declared, by the author "reconciler"; never to push the same proposal twice; and never to
overwrite what somebody else has put on that branch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from reconciler import migrate
from reconciler.engine import proposals
from reconciler.engine.checkout import Checkout
from reconciler.engine.git import Failed, explained
from reconciler.errors import Stalled, Usage, Waiting
from reconciler.model import Change, Migration
from reconciler.settings import Database

AUTHOR, ADDRESS = "reconciler", "reconciler@localhost"
_SHOWN = 50


def push(database: Database, filename: str, changes: Iterable[Change]) -> str:
    """The branch when something was pushed; empty when the proposal is there already, or came with the commit.

    `database` with its commit. Raises Waiting when the repository cannot be reached, Stalled when the push is refused or somebody
    else works on the branch.
    """
    branch = database.pushed_to
    found = next(
        (one for one in migrate.load_directory(database.migrations) if one.filename == filename), None
    )
    if not branch or found is None or database.source is None or not database.commit:
        return ""
    checkout = Checkout(database.source)
    with checkout.locked() as held:
        try:
            return (
                branch
                if _pushed(checkout, held, database, branch, proposals.offered(found), tuple(changes))
                else ""
            )
        except Failed as failed:
            raise _refused(failed, database, branch) from None


def _pushed(
    checkout: Checkout, held: tuple[int, ...], database: Database, branch: str, migration: Migration, changes: tuple[Change, ...]
) -> bool:  # fmt: skip
    folder = _folder(database)
    path = f"{folder}/{migration.filename}".lstrip("/")
    memo = f"refs/reconciler/pushed/{database.name}"
    if _has(checkout, held, database.commit, path):
        return False
    last = _commit(checkout, held, memo)
    if last and _says(checkout, held, last, path, migration):
        return False
    listed = checkout.own(
        "ls-remote", "--", str(checkout.source.git), f"refs/heads/{branch}", held=held, asks=True
    ).decode()
    tip = listed.split()[0] if listed.split() else ""
    if tip and tip != last:
        seen = f"refs/reconciler/seen/{database.name}"
        checkout.own(
            "fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--",
            str(checkout.source.git), f"+refs/heads/{branch}:{seen}", held=held, asks=True,
        )  # fmt: skip
        tip = _commit(checkout, held, seen)
        who = checkout.own("log", "-1", "--format=%cn <%ce>", tip, held=held).decode().strip()
        if who != f"{AUTHOR} <{ADDRESS}>":
            raise Stalled(
                f"the branch {branch} was moved by {who}, and the proposal is another one now",
                hint="merge that branch or delete it, then ask for a pass (POST …/reconcile, SIGUSR1, run --once)",
            )
        for one in _files(checkout, held, tip, folder):
            if not _has(checkout, held, database.commit, one) and _says(checkout, held, tip, one, migration):
                return False  # an earlier process pushed it
    commit = _committed(checkout, held, database, path, migration, changes)
    checkout.own(
        "push", "--quiet", "--no-verify", f"--force-with-lease=refs/heads/{branch}:{tip}", "--", str(checkout.source.git),
        f"{commit}:refs/heads/{branch}", held=held, asks=True,
    )  # fmt: skip
    checkout.own("update-ref", memo, commit, held=held)
    return True


def _committed(
    checkout: Checkout, held: tuple[int, ...], database: Database, path: str, migration: Migration, changes: tuple[Change, ...]
) -> str:  # fmt: skip
    """A commit with this one file more than what is declared."""
    with tempfile.TemporaryDirectory(dir=checkout.home) as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        name = _made(checkout, held, "hash-object", "-w", "--stdin", input=migrate.render(migration).encode())
        checkout.own("read-tree", database.commit, held=held, environment=index)
        checkout.own(
            "update-index", "--add", "--cacheinfo", f"100644,{name},{path}", held=held, environment=index
        )
        tree = checkout.own("write-tree", held=held, environment=index).decode().strip()
    author = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", AUTHOR), ("EMAIL", ADDRESS))
    }
    return _made(
        checkout, held, "commit-tree", tree, "-p", database.commit, environment=author,
        input=_message(database, migration, changes).encode(),
    )  # fmt: skip


def _message(database: Database, migration: Migration, changes: tuple[Change, ...]) -> str:
    """What it does, and what is to be thought of."""
    lines = [f"{database.name}: {migration.slug.replace('_', ' ')}", ""]
    lines += [f"- {one.verb} {one.id.kind} {one.id}" for one in changes[:_SHOWN]]
    lines += [f"- and {len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    hazards = dict.fromkeys((h.code, h.consequence) for statement in migration.up for h in statement.hazards)
    lines += (
        ["", "Hazards:", *(f"- {code}: {says}" for code, says in hazards)] if hazards else ["", "No hazards."]
    )
    return "\n".join([*lines, "", f"Made for {database.origin}, rehearsed up and down.", ""])


def _folder(database: Database) -> str:
    """The folder of the migrations in the repository."""
    top = database.tree
    assert top is not None
    if not database.migrations.is_relative_to(top):
        raise Stalled(
            f"migrations are written to {database.migrations}, which is not in the repository: nothing can be pushed",
            hint="leave migrations_dir out, or give a folder in the repository",
        )
    return database.migrations.relative_to(top).as_posix()


def _says(checkout: Checkout, held: tuple[int, ...], commit: str, path: str, migration: Migration) -> bool:
    """Whether a commit has the same statements in that file; what was measured along with them may differ."""
    if not path.endswith(".sql") or not _has(checkout, held, commit, path):
        return False
    name = checkout.own("rev-parse", f"{commit}:{path}", held=held).decode().strip()
    (content,) = checkout.contents([name], held)
    try:
        return migrate.parse(content.decode(), path).checksum == migration.checksum
    except (Usage, UnicodeDecodeError):
        return False


def _has(checkout: Checkout, held: tuple[int, ...], commit: str, path: str) -> bool:
    return bool(checkout.own("ls-tree", "--full-tree", commit, "--", path, held=held).strip())


def _files(checkout: Checkout, held: tuple[int, ...], commit: str, folder: str) -> list[str]:
    listed = checkout.own(
        "ls-tree", "-z", "--full-tree", "--name-only", commit, "--", f"{folder}/", held=held
    )
    return [path for path in listed.decode(errors="surrogateescape").split("\0") if path]


def _commit(checkout: Checkout, held: tuple[int, ...], ref: str) -> str:
    try:
        return (
            checkout.own("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", held=held).decode().strip()
        )
    except Failed:
        return ""


def _made(
    checkout: Checkout,
    held: tuple[int, ...],
    *arguments: str,
    input: bytes,
    environment: dict[str, str] | None = None,
) -> str:
    return checkout.own(*arguments, held=held, input=input, environment=environment).decode().strip()


def _refused(failed: Failed, database: Database, branch: str) -> Stalled | Waiting:
    assert database.source is not None
    if "stale info" in failed.says or "fetch first" in failed.says:
        return Waiting(
            f"the branch {branch} was moved while the proposal was pushed", hint="it is looked at again"
        )
    if "rejected" in failed.says:
        told = next((line.strip() for line in failed.says.splitlines() if "rejected" in line), failed.says)
        return Stalled(
            f"the repository {database.source.git} refuses the branch {branch}: {told}",
            hint="give the login the right to push it, or set source.push to a branch it may push",
        )
    error = explained(failed, database.source.git, branch)
    assert isinstance(error, (Stalled, Waiting))
    return error
