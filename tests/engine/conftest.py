"""A project in a temporary folder: declarations, migrations, and a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from reconciler.embedded import Server
from reconciler.pg import Url, connect
from reconciler.settings import Database


@dataclass(frozen=True, slots=True)
class Project:
    """`declare` writes a file; `sql` runs on the target; `database` is what the engine is given."""

    folder: Path
    url: Url
    extra: dict[str, Any]

    @property
    def database(self) -> Database:
        return Database(
            name="test", url=self.url, schema_dir=self.folder / "schema",
            migrations_dir=self.folder / "schema" / "migrations", **self.extra,
        )  # fmt: skip

    def declare(self, text: str, name: str = "all.sql") -> None:
        path = self.folder / "schema" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            cursor: psycopg.Cursor[Any] = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def migrations(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "schema" / "migrations").glob("*.sql"))


@pytest.fixture
def project(tmp_path: Path, database: Callable[..., Url], server: Server) -> Callable[..., Project]:
    """Projects whose shadow is the test server itself, which saves starting one; `shadow="auto"` for the real thing."""

    def make(text: str = "", *, live: str = "", **extra: Any) -> Project:
        made = Project(tmp_path, database(), {"shadow": server.url, **extra})
        made.declare(text)
        if live:
            made.sql(live)
        return made

    return make


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A role that can own things, dropped at the end with what it owns elsewhere gone by then."""
    name = "reconciler_test_owner"
    with connect(server.url) as connection:
        connection.execute(f"drop role if exists {name}")
        connection.execute(f"create role {name}")
    yield name
