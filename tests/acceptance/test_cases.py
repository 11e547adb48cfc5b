"""The laws, for the kinds' own planner: each folder of `cases/` is a pair of databases.

For every pair: up lands at the new state, up again changes nothing, down lands at the old state, down again changes nothing,
and up lands once more. "Lands" is judged twice: by our snapshot and by pg_dump, which shares no code with it. A file `majors`
(`15-`, `14-17`) says where a pair applies. A file `rows.sql` fills the old database:
these rows must be there, in the columns of one type on both sides, after every step. `cases/<kind>/<name>` is for one kind; `neighbours` is for what goes wrong
between objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from judge import difference, dump

from reconciler.catalog import snapshot
from reconciler.catalog.compare import compare, residue
from reconciler.catalog.kinds import Context
from reconciler.embedded import Server
from reconciler.model import Snapshot, Statement
from reconciler.pg import Url, connect, ident
from reconciler.plan.complete import complete
from reconciler.shadow.rows import common_columns, hashed

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


def run(session: psycopg.Connection, statements: Iterable[Statement]) -> None:
    """Consecutive transactional statements take effect together."""
    waiting: list[Statement] = []
    for statement in [*statements, None]:
        if statement is not None and statement.transactional:
            waiting.append(statement)
            continue
        with session.transaction():
            for each in waiting:
                execute(session, each)
        waiting = []
        if statement is not None:
            execute(session, statement)


def execute(session: psycopg.Connection, statement: Statement) -> None:
    try:
        session.execute(statement.sql.encode())
    except psycopg.Error as error:
        raise AssertionError(f"{statement.sql}\n→ {error}") from error


def assert_laws(old: Url, new: Url) -> None:
    """Walks the database `old` to `new` and back and there again."""
    before, after = read(old), read(new)
    assert not before.unmodelled and not after.unmodelled
    assert compare(before, before) == ()
    dumps = {"up": dump(new), "down": dump(old)}
    goals = {"up": after, "down": before}
    plans = {
        "up": complete(Context(before, after, "postgres")),
        "down": complete(Context(after, before, "postgres")),
    }
    assert bool(plans["up"]) == (dumps["up"] != dumps["down"])
    columns = common_columns(before, after)
    with connect(old) as session:
        rows = hashed(session, columns)
        for way in ("up", "up", "down", "down", "up"):
            run(session, plans[way])
            got = snapshot.read(session)
            assert residue(got, goals[way]) == (), way
            assert complete(Context(got, goals[way], "postgres")) == ()
            assert difference(dump(old), dumps[way]) == "", way
            assert hashed(session, columns) == rows, way


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.name)
def test_a_pair_of_databases(case: Case, server: Server, database: Callable[..., Url]) -> None:
    if server.major not in case.majors:
        pytest.skip(f"for PostgreSQL {case.majors.start} to {case.majors.stop - 1}")
    old, new = database(), database()
    load(old, case.old)
    load(new, case.new)
    load(old, case.rows)
    assert_laws(old, new)


@pytest.mark.majors
def test_all_of_them_at_once(server: Server, database: Callable[..., Url]) -> None:
    """One plan over every pair that can live in a schema of its own: large, and on every major."""
    old, new = database(), database()
    cases = [case for case in TOGETHER if server.major in case.majors]
    for case in cases:
        schema = ident(case.name.replace("/", "_"))
        for url, text in ((old, case.old + case.rows), (new, case.new)):
            load(url, f"create schema {schema}; set search_path to {schema}; {text}")
    assert len(cases) > 90
    assert_laws(old, new)
