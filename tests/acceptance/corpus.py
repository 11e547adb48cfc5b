"""The pairs of databases in `cases/` and `neighbours/`: what they are, and how one of them, or all at once, get into two databases.

A folder holds `old.sql` and `new.sql`. A file `majors` (`15-`, `14-17`) says where the pair applies; `rows.sql` fills the old
database. Judges nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.catalog import snapshot
from reconciler.model import Snapshot
from reconciler.pg import Url, connect, ident

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """Two databases as SQL scripts."""

    name: str
    old: str
    new: str
    majors: range
    rows: str = ""

    @property
    def kind(self) -> str:
        return self.name.split("/")[0]

    @property
    def lives_in_a_schema(self) -> bool:
        """Whether it can be loaded beside others, into a schema of its own."""
        text = (self.old + self.new).lower()
        return not any(
            word in text for word in ("public.", "schema", "extension", "role", "superuser", "owner")
        )


def _case(folder: Path) -> Case:
    first, last = "14", "18"
    if (folder / "majors").exists():
        first, _, last = (folder / "majors").read_text().strip().partition("-")
    return Case(
        str(folder.relative_to(HERE)).removeprefix("cases/"),
        (folder / "old.sql").read_text(),
        (folder / "new.sql").read_text(),
        range(int(first or 14), int(last or 18) + 1),
        (folder / "rows.sql").read_text() if (folder / "rows.sql").exists() else "",
    )


EVERY = sorted(
    (_case(path.parent) for root in ("cases", "neighbours") for path in (HERE / root).rglob("old.sql")),
    key=lambda case: case.name,
)
PLAIN = frozenset({
    "clustered", "column", "composite", "constraint", "default", "domain", "domain_constraint", "enum", "function",
    "index", "materialized_view", "neighbours", "owned_by", "partition", "policy", "procedure", "replica_identity",
    "rule", "sequence", "table", "trigger", "view",
})  # fmt: skip
"""Kinds that live in schemas: their cases are loaded side by side. `RECONCILER_TEST_EACH=1` also runs each by itself."""
TOGETHER = [case for case in EVERY if case.kind in PLAIN and case.lives_in_a_schema]
ALONE = EVERY if os.environ.get("RECONCILER_TEST_EACH") else [case for case in EVERY if case not in TOGETHER]


def load(url: Url, text: str) -> None:
    with connect(url) as session:
        session.execute(text.encode())


def read(url: Url) -> Snapshot:
    with connect(url) as session:
        return snapshot.read(session)


def one(case: Case, major: int, database: Callable[..., Url]) -> tuple[Url, Url]:
    """Both sides of a pair, the old one with its rows; skips where the pair does not apply."""
    if major not in case.majors:
        pytest.skip(f"for PostgreSQL {case.majors.start} to {case.majors.stop - 1}")
    old, new = database(), database()
    load(old, case.old)
    load(new, case.new)
    load(old, case.rows)
    return old, new


def all_at_once(major: int, database: Callable[..., Url]) -> tuple[Url, Url]:
    """Every pair that can live in a schema of its own, in two databases."""
    old, new = database(), database()
    cases = [case for case in TOGETHER if major in case.majors]
    assert len(cases) > 90
    for case in cases:
        schema = ident(case.name.replace("/", "_"))
        for url, text in ((old, case.old + case.rows), (new, case.new)):
            load(url, f"create schema {schema}; set search_path to {schema}; {text}")
    return old, new
