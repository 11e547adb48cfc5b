"""A repository to declare from, and what people do to one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Repository:
    """`folder` is a repository with a work tree; a branch that is not checked out can be pushed to."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Repository:
        folder.mkdir(parents=True)
        found = cls(folder)
        found.git("init", "--quiet", "--initial-branch=main")
        return found

    def git(self, *arguments: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        people = {"GIT_AUTHOR_NAME": "A Person", "GIT_AUTHOR_EMAIL": "a@person", "GIT_COMMITTER_NAME": "A Person",
                  "GIT_COMMITTER_EMAIL": "a@person"}  # fmt: skip
        done = subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            env={**clean, **people, "LC_ALL": "C"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None], message: str = "an edit") -> str:
        """The commit that writes these files; None removes one."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def source(self, **more: Any) -> dict[str, Any]:
        """As the configuration says it."""
        return {"git": str(self.folder), "poll": "200ms", **more}
