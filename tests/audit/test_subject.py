"""What is to be audited, in a scratch database: loaded as somebody would, on the platform it was written for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.audit.report import document, markdown
from reconciler.embedded import Server
from reconciler.engine.auditing import audited
from reconciler.engine.subject import OWNER, of_source
from reconciler.errors import Usage
from reconciler.model import ObjectId
from reconciler.pg import connect
from reconciler.settings import Database

SCHEMAS = Path(__file__).parent / "schemas"
EXPECTED = {
    "teams": ("supabase", 14),
    "documents": ("supabase", 12),
    "settings": ("postgres", 14),
    "metering": ("postgres", 15),
}


def test_every_schema_is_expected() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.sql")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_is_loaded_as_an_ordinary_owner(name: str) -> None:
    platform, tables = EXPECTED[name]
    file = SCHEMAS / f"{name}.sql"
    with of_source(str(file)) as subject, connect(subject.start) as session:
        assert (subject.platform, subject.owner) == (platform, OWNER)
        found = session.execute(
            "select count(*), count(*) filter (where c.relowner = %s::regrole), bool_or(r.rolsuper) or bool_and(r.rolbypassrls) from pg_class as c"
            " join pg_roles as r on r.oid = c.relowner join pg_namespace as n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'auth', 'storage', 'realtime')",
            (OWNER,),
        ).fetchone()
        assert found == (tables, tables, platform == "supabase")
        place = next(place for id, place in subject.places.items() if id.kind == "table")
        line = file.read_text().splitlines()[place.line - 1]
        assert place.file == str(file) and line.startswith("create table")


def test_what_names_its_owners_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "dump.sql"
    file.write_text(
        "create role audit_somebody nologin; create table t (a int); alter table t owner to audit_somebody;"
    )
    with of_source(str(file)) as subject, connect(subject.start) as session:
        assert session.execute("select tableowner::text from pg_tables where tablename = 't'").fetchone() == (
            "audit_somebody",
        )
        assert ObjectId("table", "public", "t") in subject.places


def test_what_is_no_source_is_said() -> None:
    with pytest.raises(Usage, match="no database URL"), of_source("there-is-no-such-thing"):
        pass


def test_roles_that_are_called_like_those_of_a_platform_are_no_platform(tmp_path: Path) -> None:
    file = tmp_path / "plain.sql"
    file.write_text("create role anon nologin; create table t (a int); grant select on t to anon;")
    with of_source(str(file)) as subject, connect(subject.start) as session:
        assert subject.platform == "postgres"
        assert session.execute("select has_table_privilege('anon', 't', 'truncate')").fetchone() == (False,)
    file.write_text(
        "create role authenticated nologin; create schema auth; create function auth.uid() returns uuid language sql return null::uuid;"
        " create table t (a int); create policy p on t using (auth.uid() is not null);"
    )
    with of_source(str(file)) as subject:
        assert subject.platform == "supabase" and "auth" not in subject.scope and "public" in subject.scope


@pytest.fixture
def maker(server: Server) -> Iterator[str]:
    """Somebody who may create databases, and nothing else."""
    name = "audit_database_maker"
    with connect(server.url) as admin:
        admin.execute(f"create role {name} login createdb password 'once'")
        yield name
        admin.execute(f"drop role {name}")


def test_without_a_superuser_the_rules_alone_speak_and_the_report_says_what_is_lost(
    server: Server, maker: str, tmp_path: Path
) -> None:
    file = tmp_path / "open.sql"
    file.write_text(
        "create table notes (org_id uuid not null, body text); grant select on notes to public; alter table notes enable row level security;"
        " create policy wide on notes using (true);"
    )
    with of_source(str(file), where=server.url.with_options(user=maker, password="once")) as subject:
        found = audited(subject, Database(name="open"))
        assert (subject.shadow.own, subject.owner) == (False, "")
    assert found.findings and {one.severity for one in found.findings} <= {"warning", "info"}
    assert (found.attacked, found.partial, found.cells, found.leaks) == (False, "", (), ())
    (lost,) = found.untried
    assert lost.startswith("nothing was attacked: on the shadow that needs a superuser")
    assert lost in markdown(found)
    assert document(found)["untried"] == [lost] and document(found)["attacked"] is False
