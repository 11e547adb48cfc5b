"""The daemon and the commands with declarations in a git repository: a commit is applied, a proposal is pushed, a fault is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Daemon, Ground, until
from repositories import Repository

TABLE = "create table t (id integer primary key, v text);\n"
MORE = "create table t (id integer primary key, v text, w integer);\n"


def columns(ground: Ground) -> list[str]:
    return [str(row[0]) for row in ground.sql(
        "select attname from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass('t') and attnum > 0 and not attisdropped"
        " order by attnum",
    )]  # fmt: skip


@pytest.fixture
def upstream(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(ground.folder / "cache"))
    made = Repository.made(ground.folder / "upstream")
    made.commit({"schema/all.sql": TABLE})
    yield made


def declared_in(ground: Ground, upstream: Repository, mode: str, **source: Any) -> None:
    ground.configure(mode=mode, schema_dir=None, source=upstream.source(**source))


def ran(ground: Ground, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *command], cwd=ground.folder, capture_output=True, text=True, timeout=120,
        env=os.environ,
    )  # fmt: skip


def source(daemon: Daemon) -> dict[str, Any]:
    return dict(daemon.status()["facts"].get("source") or {})


def test_a_commit_is_applied_and_known_by_its_name(ground: Ground, upstream: Repository) -> None:
    declared_in(ground, upstream, "apply")
    daemon = ground.start()
    until(lambda: columns(ground) == ["id", "v"], "what is committed is applied")
    (upstream.folder / "schema" / "all.sql").write_text(MORE)  # not committed
    commit = upstream.commit({"schema/all.sql": MORE})
    until(lambda: columns(ground) == ["id", "v", "w"], "the next commit is applied")
    until(lambda: daemon.condition() == "True" and source(daemon).get("commit") == commit, "and known to be")
    assert source(daemon) | {"fetched_at": 0} == {
        "commit": commit, "branch": "main", "url": str(upstream.folder), "fetched_at": 0, "trouble": None,
    }  # fmt: skip
    metrics = daemon.metrics()
    assert metrics[f'reconciler_source_info{{commit="{commit}",database="one"}}'] == 1
    assert len([name for name in metrics if name.startswith("reconciler_source_info")]) == 1
    fetched = 'reconciler_source_fetch_timestamp_seconds{database="one"}'
    until(lambda: daemon.metrics()[fetched] > metrics[fetched], "it goes on fetching")
    assert metrics['reconciler_reconciles_total{database="one",result="applied",trigger="git"}'] >= 1
    ((client,),) = ground.sql("select client from reconciler.migrations order by started_at desc limit 1")
    assert client.endswith(f", commit {commit[:8]} of main")
    assert f"commit <code>{commit}</code> of main" in daemon.get("databases/one")
    status = ran(ground, "status")
    assert status.returncode == 0 and f"commit {commit[:8]} of main" in status.stdout
    passes = metrics['reconciler_reconciles_total{database="one",result="applied",trigger="git"}']
    upstream.commit({"README.md": "nothing of the schema"})
    until(lambda: source(daemon)["commit"] != commit, "a commit beside the schema is named")
    assert (
        daemon.metrics()['reconciler_reconciles_total{database="one",result="applied",trigger="git"}']
        == passes
    )
    assert daemon.end() == 0


@pytest.mark.thorough
def test_a_repository_that_cannot_be_read_stops_nothing_else(ground: Ground, upstream: Repository) -> None:
    """The last commit stays in force, drift is still found and taken back, a restart needs no repository; and it is told."""
    declared_in(ground, upstream, "apply")
    daemon = ground.start()
    until(lambda: daemon.condition() == "True", "in sync")
    away = upstream.folder.with_name("away")
    upstream.folder.rename(away)
    until(lambda: daemon.condition("Stalled") == "True", "it is told")
    (told,) = [one for one in daemon.status()["conditions"] if one["type"] == "Stalled"]
    assert "stays in force" in told["sentence"] and "git ls-remote" in told["sentence"]
    assert daemon.condition() == "True" and source(daemon)["trouble"]
    ground.sql("alter table t drop column v")
    daemon.process.send_signal(signal.SIGUSR1)
    until(lambda: columns(ground) == ["id", "v"], "drift is found and taken back all the same")
    assert daemon.end() == 0
    warned = [line for line in daemon.lines if line["level"] == "error"]
    assert len(warned) == 1, "once, not at each poll"
    second = ground.start()
    until(lambda: second.condition() == "True", "the next process goes by the last commit")
    assert second.condition("Stalled") == "True"
    plan = ran(ground, "plan", "--check")
    assert plan.returncode == 3 and "there is no repository" in plan.stderr, (
        "who types a command wants the newest commit"
    )
    assert ran(ground, "run", "--once").returncode == 3
    away.rename(upstream.folder)
    upstream.commit({"schema/all.sql": MORE})
    until(lambda: columns(ground) == ["id", "v", "w"], "the repository came back")
    until(lambda: second.condition("Stalled") == "False", "and nobody is asked any more")


def test_nothing_is_declared_before_the_first_fetch(ground: Ground, upstream: Repository) -> None:
    ground.sql(TABLE)
    declared_in(ground, upstream, "apply", branch="release")
    daemon = ground.start()
    until(lambda: daemon.condition() == "Unknown" and daemon.condition("Stalled") == "True", "it says why")
    assert "has no branch release" in str(daemon.status()["conditions"])
    assert columns(ground) == ["id", "v"]
    assert ran(ground, "run", "--once").returncode == 3
    upstream.git("branch", "release")
    until(lambda: daemon.condition() == "True", "then it goes by the branch")


@pytest.mark.thorough
def test_somebody_who_asks_makes_it_fetch(ground: Ground, upstream: Repository) -> None:
    token = ground.folder / "token"
    token.write_text("a-token-of-some-length")
    declared_in(ground, upstream, "apply", poll="1h")
    daemon = ground.start(RECONCILER_HTTP__TOKEN_FILE=str(token))
    until(lambda: daemon.condition() == "True", "the first commit")
    upstream.commit({"schema/all.sql": MORE})
    assert daemon.post("reconcile", "a-token-of-some-length").code == 202
    until(lambda: columns(ground) == ["id", "v", "w"], "a webhook is enough")
    upstream.commit({"schema/all.sql": TABLE})
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: daemon.status()["drift"] or daemon.condition("Stalled") == "True", "and so is SIGHUP")


def test_a_proposal_is_pushed_once_and_runs_as_it_was_merged(ground: Ground, upstream: Repository) -> None:
    declared_in(ground, upstream, "propose", push="reconciler/{database}")
    base = upstream.git("rev-parse", "main")
    daemon = ground.start()
    branch = "reconciler/one"

    def tip() -> str:
        return upstream.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    first = until(tip, "the proposal is pushed")
    assert upstream.git("rev-parse", f"{first}^") == base
    (path,) = upstream.git("diff", "--name-only", base, first).splitlines()
    assert path.startswith("schema/migrations/") and path.endswith(".sql")
    assert upstream.git("log", "-1", "--format=%an %cn", first) == "reconciler reconciler"
    message = upstream.git("log", "-1", "--format=%B", first)
    assert (
        "create table public.t" in message
        and "No hazards." in message
        and f"commit {base[:8]} of main" in message
    )

    def asked() -> int:
        return sum(daemon.status()["facts"]["reconciles"].get("signal", {}).values())

    for number in range(1, 4):
        daemon.process.send_signal(signal.SIGUSR1)
        until(lambda number=number: asked() == number, "another pass")
    upstream.commit({"README.md": "beside the schema"})
    until(
        lambda: source(daemon).get("commit") == upstream.git("rev-parse", "main"),
        "a commit beside the schema",
    )
    assert tip() == first, "an unchanged proposal is not pushed again"
    upstream.commit({"schema/all.sql": MORE})
    second = until(lambda: tip() != first and tip(), "another proposal replaces it")
    assert upstream.git("rev-parse", f"{second}^") == upstream.git("rev-parse", "main")
    assert columns(ground) == []
    assert daemon.end() == 0

    upstream.git("merge", "--quiet", "--ff-only", branch)
    reviewed = upstream.git("diff", "--name-only", "main^", "main").split("/")[-1]
    declared_in(ground, upstream, "apply")
    applying = ground.start()
    until(lambda: columns(ground) == ["id", "v", "w"], "what was merged is applied")
    until(lambda: applying.condition() == "True", "in sync")
    assert ground.sql("select version || '_' || slug || '.sql' from reconciler.migrations") == [(reviewed,)]
    assert tip() == second


@pytest.mark.thorough
def test_a_branch_that_somebody_else_moved_is_not_overwritten(ground: Ground, upstream: Repository) -> None:
    declared_in(ground, upstream, "propose", push="proposal")
    assert ran(ground, "run", "--once").returncode == 1
    first = upstream.git("rev-parse", "proposal")
    assert ran(ground, "run", "--once").returncode == 1
    assert upstream.git("rev-parse", "proposal") == first
    for kept in (ground.folder / "cache" / "reconciler" / "git").iterdir():
        kept.rename(ground.folder / f"lost-{kept.name}")
    assert ran(ground, "run", "--once").returncode == 1
    assert upstream.git("rev-parse", "proposal") == first, "also by a process that remembers nothing"
    upstream.git("checkout", "--quiet", "proposal")
    theirs = upstream.commit({"schema/note.txt": "mine"})
    upstream.git("checkout", "--quiet", "main")
    upstream.commit({"schema/all.sql": MORE})
    found = ran(ground, "run", "--once")
    assert found.returncode == 3 and "was moved by A Person" in found.stdout
    assert upstream.git("rev-parse", "proposal") == theirs
    upstream.git("branch", "-D", "proposal")
    assert ran(ground, "run", "--once").returncode == 1
    assert upstream.git("log", "-1", "--format=%an", "proposal") == "reconciler"
    ground.sql(MORE)
    upstream.git("branch", "-D", "proposal")
    assert ran(ground, "run", "--once").returncode == 0, "without drift nothing is pushed"
    assert "proposal" not in upstream.git("branch", "--list")


def test_a_migration_that_people_wrote_runs_as_it_stands(ground: Ground, upstream: Repository) -> None:
    """When it leads to what is declared; else nothing runs."""
    ground.sql(TABLE + "insert into t values (1, '7')")
    reviewed = "-- UP\nalter table t add column if not exists w integer;\nupdate t set w = 7;\n\\quit\n-- DOWN\nalter table t drop column if exists w;\n"
    wrong = reviewed.replace("integer;\nupdate", "bigint;\nupdate")
    upstream.commit({"schema/all.sql": MORE, "schema/migrations/20260101000000_w_from_v.sql": wrong})
    declared_in(ground, upstream, "apply")
    daemon = ground.start()
    until(lambda: daemon.condition("Stalled") == "True", "it leads elsewhere")
    assert columns(ground) == ["id", "v"]
    commit = upstream.commit({"schema/migrations/20260101000000_w_from_v.sql": reviewed})
    until(lambda: columns(ground) == ["id", "v", "w"], "it is applied")
    assert ground.sql("select w from t") == [(7,)]
    rows = ground.sql("select version, slug, right(client, 23) from reconciler.migrations")
    assert rows == [("20260101000000", "w_from_v", f"commit {commit[:8]} of main")]


@pytest.mark.thorough
def test_the_commands_fetch_once(ground: Ground, upstream: Repository) -> None:
    declared_in(ground, upstream, "apply")
    drift = ran(ground, "drift")
    assert drift.returncode == 1 and "table public.t" in drift.stdout
    plan = ran(ground, "plan")
    assert plan.returncode == 0 and "--out" in plan.stderr
    assert ran(ground, "plan", "--out", "here").returncode == 0
    assert len(list((ground.folder / "here").glob("*.sql"))) == 1
    assert ran(ground, "run", "--once").returncode == 0
    assert columns(ground) == ["id", "v"]
    upstream.commit({"schema/all.sql": MORE})
    assert ran(ground, "status").returncode == 1
    assert ran(ground, "plan", "--check").returncode == 1
    local = ground.folder / "local"
    local.mkdir()
    (local / "all.sql").write_text(TABLE)
    assert ran(ground, "drift", "--schema-dir", str(local)).returncode == 0, "a folder that is typed counts"
    new = ran(ground, "new", "table", "u")
    assert new.returncode == 2 and "--schema-dir" in new.stderr
    upstream.folder.rename(upstream.folder.with_name("away"))
    assert ran(ground, "suspend", "--reason", "the repository is away").returncode == 0
    doctor = ran(ground, "doctor")
    assert doctor.returncode != 0 and "there is no repository" in doctor.stdout


def test_a_token_is_in_no_line_of_the_log(ground: Ground, upstream: Repository) -> None:
    token = "t0ken-of-somebody"
    ground.configure(
        mode="observe",
        schema_dir=None,
        source={"git": "http://robot:${GIT_TOKEN}@127.0.0.1:9/x.git", "poll": "200ms"},
    )
    daemon = ground.start(GIT_TOKEN=token)
    until(lambda: "cannot be reached" in daemon.log, "it says that nobody is there")
    until(lambda: daemon.condition() == "Unknown", "and that nothing is known")
    pages = daemon.get("") + daemon.get("databases/one") + daemon.get("api/v1/status") + daemon.get("metrics")
    assert token not in daemon.log + pages and "127.0.0.1:9" in pages
    own = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
    assert token.encode() not in own
