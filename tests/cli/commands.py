"""The commands, run in this process or in one of their own, on a project in a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from reconciler.pg import Url, connect

DECLARED = """\
create table notes (
  id uuid primary key,
  org_id uuid not null,
  line text not null
);
alter table notes enable row level security;
create policy own_rows on notes using (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
create function shout(words text) returns text language sql immutable as $$ select upper(words) $$;
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one document it has to be."""
        document = json.loads(self.out)
        assert document["format"] == 1
        return document


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with declarations, and a database of its own. `run` adds the options that name both."""

    folder: Path
    url: Url
    shadow: str

    @property
    def schema(self) -> Path:
        return self.folder / "schema"

    def declare(self, text: str, name: str = "all.sql") -> None:
        path = self.schema / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def options(self) -> list[str]:
        return ["--url", self.url.reveal(), "--schema-dir", str(self.schema), "--shadow", self.shadow]

    def run(self, command: str, *arguments: str) -> Ran:
        return run(*command.split(), *arguments, *self.options)

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def migrations(self) -> list[Path]:
        return sorted((self.schema / "migrations").glob("*.sql"))


def run(*arguments: str) -> Ran:
    """In this process: quick, and good enough for everything but streams and signals."""
    from reconciler.cli.app import app

    result = CliRunner().invoke(app, list(arguments), prog_name="reconciler")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def spawn(*arguments: str, cwd: Path | None = None, environ: dict[str, str] | None = None) -> Ran:
    """As a person or a pipeline would: another process, with pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, **(environ or {})}, stdin=subprocess.DEVNULL,
        timeout=120, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)
