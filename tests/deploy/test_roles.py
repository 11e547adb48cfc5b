"""The roles of `deploy/roles`, made by psql as a person would, and what each of them can and cannot do."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from reconciler.embedded import Server
from reconciler.engine.applying import apply, rollback
from reconciler.engine.cycle import run_once
from reconciler.engine.drift import drift
from reconciler.errors import Stalled
from reconciler.pg import Secret, Url, connect, ident
from reconciler.platforms import prelude
from reconciler.settings import Database

pytestmark = pytest.mark.majors

ROOT = Path(__file__).parents[2]
LIVE = (
    "create table public.notes (id int primary key, body text); insert into public.notes values (1, 'mine')"
)
DECLARED = "create table public.notes (id int primary key, body text, mood text);\n"
OWNER, OBSERVE, PROPOSE, APPLY = (f"roles_test_{name}" for name in ("owner", "observe", "propose", "apply"))


@dataclass(frozen=True, slots=True)
class Place:
    """A database whose tables `OWNER` owns, declarations, and the files of roles run on it."""

    server: Server
    url: Url
    folder: Path

    def made(self, file: str, role: str, **variables: str) -> str:
        """Runs a file as psql's manual says and gives the role a password; what psql printed."""
        given = [f"--set={name}={value}" for name, value in {"role": role, **variables}.items()]
        done = subprocess.run(
            [str(self.server.binaries.program("psql")), "-X", "-q", *given, "-f", str(ROOT / "deploy/roles" / file)],
            env={**os.environ, **self.url.environment()}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.sql(f"alter role {ident(role)} password 'once'")
        return done.stdout

    def sql(self, text: str) -> list[tuple[object, ...]]:
        with connect(self.url) as session:
            cursor: psycopg.Cursor[tuple[object, ...]] = session.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    def of(self, role: str) -> Url:
        return self.url.with_options(user=role, password=Secret("once"))

    def database(self, role: str, **extra: object) -> Database:
        return Database(name="test", url=self.of(role), schema_dir=self.folder, **extra)  # type: ignore[arg-type]

    def refused(self, role: str, statement: str) -> bool:
        """Whether the role may not run this, however much it switches off what its settings forbid."""
        with connect(self.of(role)) as session:
            session.execute("set default_transaction_read_only = off")
            try:
                session.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                return True
        return False


@pytest.fixture
def place(database: Callable[..., Url], server: Server, tmp_path: Path) -> Iterator[Place]:
    with connect(server.url) as admin:
        admin.execute(f"create role {OWNER}")
    found = Place(server, database(), tmp_path / "schema")
    found.folder.mkdir()
    (found.folder / "notes.sql").write_text(DECLARED, encoding="utf-8")
    # Before 15 everybody may create in public: what observe.sql shows, taken back.
    found.sql(f"revoke create on schema public from public; grant usage, create on schema public to {OWNER}")
    found.sql(f"set role {OWNER}; {LIVE}")
    yield found
    roles = [OBSERVE, PROPOSE, APPLY, OWNER]
    for role in roles:
        if found.sql(f"select 1 from pg_catalog.pg_roles where rolname = '{role}'"):
            found.sql(f"drop owned by {role} cascade")
    with connect(server.url) as admin:
        for role in roles:
            admin.execute(f"drop role if exists {role}")


WRITES = (
    "insert into public.notes values (2, 'x')",
    "update public.notes set body = 'x'",
    "delete from public.notes",
    "truncate public.notes",
    "alter table public.notes add column more int",
    "drop table public.notes",
    "create table public.mine (id int)",
    "create view public.mine as select 1",
    "create function public.mine() returns int language sql return 1",
    "create schema mine",
    "create role mine",
    "comment on table public.notes is 'x'",
    "grant select on public.notes to public",
    f"set role {OWNER}",
    f"alter default privileges for role {OWNER} grant all on tables to public",
)


def test_observe_sees_drift_and_writes_nothing(place: Place) -> None:
    place.made("observe.sql", OBSERVE)
    watching = place.database(OBSERVE)
    (missing,) = drift(watching).changes
    assert (missing.verb, str(missing.id)) == ("create", "public.notes.mood")
    status = run_once(watching)
    assert [c.status for c in status.conditions if c.type in ("InSync", "Stalled")] == ["False", "False"]
    assert [one for one in WRITES if not place.refused(OBSERVE, one)] == []
    assert place.refused(OBSERVE, "select * from public.notes")
    with connect(place.of(OBSERVE)) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("create temporary table mine (id int)")
    assert place.sql("select * from public.notes") == [(1, "mine")]


def test_observe_reads_the_history_after_it_ran_again(place: Place) -> None:
    place.made("observe.sql", OBSERVE)
    place.made("apply.sql", APPLY, owner=OWNER)
    apply(place.database(APPLY))
    with pytest.raises(Stalled, match="grant select on all tables in schema reconciler"):
        drift(place.database(OBSERVE))
    place.made("observe.sql", OBSERVE)
    assert drift(place.database(OBSERVE)).changes == ()
    assert place.refused(OBSERVE, "delete from reconciler.migrations")
    assert place.refused(OBSERVE, "insert into reconciler.format (version) values (99)")


def test_a_role_that_may_do_more_is_not_taken(place: Place) -> None:
    place.sql(f"create role {OBSERVE} login createrole")
    with pytest.raises(AssertionError, match="may do more than look"):
        place.made("observe.sql", OBSERVE)


def test_propose_writes_a_migration_that_apply_runs(place: Place) -> None:
    (place.folder / "new.sql").write_text(
        "create table public.tags (id int primary key references public.notes);"
    )
    place.made("apply.sql", APPLY, owner=OWNER)
    place.made("observe.sql", PROPOSE)
    place.made("propose.sql", PROPOSE, apply=APPLY)
    status = run_once(place.database(PROPOSE, mode="propose"))
    assert [c.sentence for c in status.conditions if c.type == "Stalled"] == ["no action is needed"]
    assert status.facts["written"]
    if place.server.major >= 16:
        assert [one for one in (*WRITES, f"set role {APPLY}") if not place.refused(PROPOSE, one)] == []
        assert place.refused(PROPOSE, "select * from public.notes")
    with connect(place.of(PROPOSE)) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("alter table public.notes add column more int")
    (done,) = apply(place.database(APPLY))
    assert str(status.facts["written"]).startswith(done.version)
    assert drift(place.database(APPLY)).changes == ()


def test_apply_brings_in_the_example_and_takes_it_back(place: Place) -> None:
    shutil.rmtree(place.folder)
    shutil.copytree(ROOT / "schema", place.folder, ignore=shutil.ignore_patterns("migrations"))
    place.sql("drop table public.notes")
    place.made("apply.sql", APPLY)
    place.sql(prelude("supabase", owner=APPLY))
    changing = place.database(APPLY, mode="apply", platform="supabase", allow=("all",))
    status = run_once(changing)
    assert {c.type: c.status for c in status.conditions}["InSync"] == "True", [
        c.sentence for c in status.conditions
    ]
    assert place.sql("select count(*) > 5 from pg_catalog.pg_tables where tableowner = '" + APPLY + "'") == [
        (True,)
    ]
    (gone,) = rollback(changing, allow=tuple(changing.allow))
    assert gone.direction == "down"
    assert place.sql("select tablename from pg_catalog.pg_tables where schemaname = 'public'") == []


def test_apply_changes_what_the_owner_owns_and_nothing_else(place: Place) -> None:
    place.sql("create table public.theirs (id int)")
    assert "public.theirs" in place.made("apply.sql", APPLY, owner=OWNER)
    apply(place.database(APPLY))
    assert drift(place.database(APPLY)).changes == ()
    assert place.refused(APPLY, "alter table public.theirs add column more int")
    assert place.refused(APPLY, "create role mine")
