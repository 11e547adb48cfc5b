"""Migrations in the layouts of other tools, each run the way that tool runs it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from applying import migration, value

from reconciler.errors import Stalled
from reconciler.migrate import parse, render
from reconciler.migrate.export import LAYOUTS, exported
from reconciler.migrate.export_alembic import sql_literal
from reconciler.model import Migration
from reconciler.pg import Url, connect

MADE = migration(
    [
        "create table if not exists public.t (a int)",
        "|create index concurrently if not exists t_a on public.t (a)",
        "comment on table public.t is '100% :done a:b \\:x ''$'''",
    ],
    ["|drop index concurrently if exists public.t_a", "drop table if exists public.t"],
)
FOREVER: Migration = parse("-- UP\nselect 1;\n-- DOWN none: it's gone, 100%\n", "20261123040000_x.sql")


def one_transaction(url: Url, text: str) -> None:
    with connect(url) as session, session.transaction():
        session.execute(text.encode(), prepare=False)


def no_transaction(url: Url, text: str) -> None:
    """As one simple query: a second statement in it would make a transaction."""
    with connect(url) as session:
        session.execute(text.encode(), prepare=False)


def done(url: Url) -> bool:
    comment = value(url, "select obj_description(to_regclass('public.t'))")
    index = value(url, "select indisvalid from pg_index where indexrelid = to_regclass('public.t_a')")
    assert comment in (None, "100% :done a:b \\:x '$'")
    assert (comment is None) == (index is None)
    return comment is not None


def undone(url: Url) -> bool:
    return value(url, "select to_regclass('public.t')") is None


def test_supabase(url: Url, tmp_path: Path) -> None:
    files = exported(MADE, "supabase", tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "20261123040000_test.sql", "20261123040001_test.sql", "20261123040002_test.sql",
        "down/20261123040000_test.sql",
    ]  # fmt: skip
    for file in sorted(tmp_path.glob("*.sql")):
        alone = "concurrently" in file.read_text()
        (no_transaction if alone else one_transaction)(url, file.read_text())
    assert done(url)


def test_flyway(url: Url, tmp_path: Path) -> None:
    exported(MADE, "flyway", tmp_path)

    def run(file: Path) -> None:
        alone = file.with_name(file.name + ".conf").exists()
        (no_transaction if alone else one_transaction)(url, file.read_text())

    for file in sorted(tmp_path.glob("V*.sql")):
        run(file)
    assert done(url)
    for file in sorted(tmp_path.glob("U*.sql"), reverse=True):
        run(file)
    assert undone(url)


def test_dbmate(url: Url, tmp_path: Path) -> None:
    exported(MADE, "dbmate", tmp_path)

    def run(file: Path, section: str) -> None:
        parts = re.split(r"(?m)^-- migrate:(up|down)(.*)\n", file.read_text())
        found = {parts[at]: (parts[at + 1].strip(), parts[at + 2]) for at in (1, 4)}
        option, text = found[section]
        (no_transaction if option == "transaction:false" else one_transaction)(url, text)

    for file in sorted(tmp_path.iterdir()):
        run(file, "up")
    assert done(url)
    for file in sorted(tmp_path.iterdir(), reverse=True):
        run(file, "down")
    assert undone(url)


def test_sqitch(url: Url, tmp_path: Path) -> None:
    files = exported(MADE, "sqitch", tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "deploy/20261123040000_test.sql", "revert/20261123040000_test.sql",
    ]  # fmt: skip
    assert "\\set ON_ERROR_STOP on" in files[0].read_text()
    exported(FOREVER, "sqitch", tmp_path)
    plan = (tmp_path / "sqitch.plan").read_text().splitlines()
    assert plan[0] == "%syntax-version=1.0.0"
    assert [line.split()[0] for line in plan[3:]] == ["20261123040000_test", "20261123040000_x"]


def test_alembic(url: Url, tmp_path: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    (file,) = exported(MADE, "alembic", tmp_path)
    module: dict[str, object] = {}
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connect(url, autocommit=False))

    class Block:
        def __enter__(self) -> None:
            connection.commit()
            self.before = connection.get_isolation_level()
            connection.execution_options(isolation_level="AUTOCOMMIT")

        def __exit__(self, *_: object) -> None:
            connection.commit()
            connection.execution_options(isolation_level="READ COMMITTED")

    with engine.connect() as connection:
        op = SimpleNamespace(
            execute=connection.execute, get_context=lambda: SimpleNamespace(autocommit_block=Block)
        )
        source = file.read_text().replace("from alembic import op\n", "")
        exec(compile(source, str(file), "exec"), {"op": op}, module)
        assert (module["revision"], module["down_revision"]) == ("20261123040000", None)
        upgrade, downgrade = module["upgrade"], module["downgrade"]
        for function, check in ((upgrade, done), (downgrade, undone)):
            assert callable(function)
            function.__globals__.update(module)
            function()
            connection.commit()
            assert check(url)
    engine.dispose()


@pytest.mark.parametrize(
    "sql",
    [
        "select ':a', a::text, \\:b, '\\\\:c', x[1:2], ':$d', 'e:f' -- :g",
        'select "a""b\\" \r\n\' """ "',
        "select '%s %% %'",
    ],
)
def test_alembic_texts_come_out_as_they_went_in(sql: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy.dialects import postgresql

    compiled = sqlalchemy.text(eval(sql_literal(sql))).compile(dialect=postgresql.psycopg.dialect())
    assert str(compiled).replace("%%", "%") == sql
    assert compiled.params == {}


def test_alembic_follows_the_head(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('revision: str = "aa1"\ndown_revision = None\n')
    (tmp_path / "b.py").write_text("revision = 'bb2'\ndown_revision: Union[str, None] = 'aa1'\n")
    (file,) = exported(MADE, "alembic", tmp_path)
    assert 'down_revision = "bb2"' in file.read_text()
    (tmp_path / "c.py").write_text("revision = 'cc3'\ndown_revision = 'aa1'\n")
    with pytest.raises(Stalled, match=r"several heads: 20261123040000, cc3"):
        exported(FOREVER, "alembic", tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_written_over(tmp_path: Path, layout: str) -> None:
    files = exported(FOREVER, layout, tmp_path)
    with pytest.raises(Stalled, match=r"exists already|several"):
        exported(FOREVER, layout, tmp_path)
    assert all(file.exists() for file in files)


@pytest.mark.parametrize(
    ("layout", "name"), [("dbmate", "20261123040000_x.sql"), ("sqitch", "revert/20261123040000_x.sql")]
)
def test_what_cannot_be_undone_fails_and_says_why(
    connection: psycopg.Connection, tmp_path: Path, layout: str, name: str
) -> None:
    exported(FOREVER, layout, tmp_path)
    text = (tmp_path / name).read_text().split("-- migrate:down\n")[-1]
    with pytest.raises(psycopg.errors.RaiseException, match="cannot be undone: it's gone, 100%"):
        connection.execute(text.encode())


def test_a_statement_that_dbmate_would_cut_is_refused(tmp_path: Path) -> None:
    cut = migration(["select '\n-- migrate:down\n'"])
    assert render(cut)
    with pytest.raises(Stalled, match="dbmate would cut"):
        exported(cut, "dbmate", tmp_path)
