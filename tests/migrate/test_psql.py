"""What psql makes of a rendered file: it runs the UP and stops, twice the same, and leaves nothing of a failure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from applying import migration, value

from reconciler.embedded import Server
from reconciler.migrate import render, render_section, write
from reconciler.pg import Url, connect

MADE = migration(
    [
        "create table if not exists public.t (a int, b text)",
        "insert into public.t select 1, '; \\quit\n-- DOWN ü' where not exists (select from public.t)",
        "|create index concurrently if not exists t_a on public.t (a)",
        "|alter table public.t add column if not exists c int -- no transaction needed",
        "comment on table public.t is $$\\quit$$",
    ],
    ["|drop index concurrently if exists public.t_a", "drop table if exists public.t -- gone"],
)
Psql = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def psql(server: Server, url: Url) -> Psql:
    def run(*arguments: str, script: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "PGHOST": url.get("host"),
            "PGPORT": url.get("port"),
            "PGUSER": url.user,
            "PGDATABASE": url.database,
            "PGPASSWORD": dict(url.secrets)["password"].reveal(),
        }
        return subprocess.run(
            [str(server.binaries.program("psql")), "-X", "-q", *arguments],
            env=environment, input=script, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip

    return run


def facts(url: Url) -> tuple[object, object, object, object]:
    return (
        value(url, "select array_agg(attname order by attnum)::text from pg_attribute"
                   " where attrelid = to_regclass('public.t') and attnum > 0"),
        value(url, "select string_agg(b, ',') from public.t"),
        value(url, "select obj_description('public.t'::regclass)"),
        value(url, "select indisvalid from pg_index where indexrelid = to_regclass('public.t_a')"),
    )  # fmt: skip


EXPECTED = ("{a,b,c}", "; \\quit\n-- DOWN ü", "\\quit", True)


def test_a_file_runs_up_and_stops_twice(psql: Psql, url: Url, tmp_path: Path) -> None:
    file = write(MADE, tmp_path)
    for _ in range(2):
        done = psql("-f", str(file))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "ERROR" not in done.stderr
        assert facts(url) == EXPECTED


def test_both_sections_run_twice_as_scripts(psql: Psql, url: Url) -> None:
    for section, last in (("up", EXPECTED), ("down", None), ("up", EXPECTED)):
        for _ in range(2):
            done = psql(script=render_section(MADE, "up" if section == "up" else "down"))
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            if last:
                assert facts(url) == last
            else:
                assert value(url, "select to_regclass('public.t')") is None


@pytest.mark.parametrize("stop", [True, False])
def test_a_failing_statement_leaves_nothing(psql: Psql, url: Url, tmp_path: Path, stop: bool) -> None:
    """Also when somebody's psql goes on after errors: COMMIT of a failed transaction is a ROLLBACK."""
    broken = migration(["create table public.t ()", "select 1/0", "create table public.u ()"])
    text = render(broken) if stop else render(broken).replace("\\set ON_ERROR_STOP on\n", "")
    file = tmp_path / broken.filename
    file.write_text(text)
    done = psql("-f", str(file))
    assert "division by zero" in done.stderr
    assert done.returncode == (3 if stop else 0)
    assert value(url, "select count(*) from pg_class where relname in ('t', 'u')") == 0


def test_a_lock_not_got_stops_the_file(psql: Psql, url: Url, tmp_path: Path) -> None:
    locked = replace(migration(["drop table public.t"]), header=(("lock_timeout", "50ms"),))
    with connect(url, autocommit=False) as other:
        other.execute("create table public.t ()")
        other.commit()
        other.execute("lock table public.t")
        done = psql("-f", str(write(locked, tmp_path)))
    assert done.returncode == 3
    assert "lock timeout" in done.stderr
