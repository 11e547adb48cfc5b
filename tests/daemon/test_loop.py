"""The loop looks after its workers: one that died is told of, and replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import until

from reconciler.daemon import worker
from reconciler.daemon.loop import Loop
from reconciler.pg import Url
from reconciler.settings import Config, Database, load


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_is_replaced(
    database: Callable[..., Url], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[float] = []
    real = worker.observed

    def once_deadly(*arguments: Any, **named: Any) -> Any:
        if not deaths:
            deaths.append(time.monotonic())
            raise SystemExit  # what no pass survives, and a thread ends with in silence
        return real(*arguments, **named)

    monkeypatch.setattr(worker, "observed", once_deadly)
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "all.sql").write_text("create table t (id integer primary key);")
    config = Config(databases=[Database(name="one", url=database(), schema_dir=tmp_path / "schema")])
    loop = Loop(lambda: config)

    def sync() -> tuple[str, str]:
        conditions = [c for s in loop.published().statuses for c in s.conditions if c.type == "InSync"]
        return (conditions[0].status, conditions[0].reason) if conditions else ("", "")

    loop.follow(config)
    try:
        until(lambda: bool(deaths), "the first pass begins")
        until(lambda: sync() == ("Unknown", "Died"), "it is told that nobody looks")
        loop.turn()
        until(lambda: sync() == ("False", "Drifted"), "another worker looks")
    finally:
        assert loop.close("the test is over")


def test_a_file_that_is_gone_is_not_replaced_by_what_lies_above_it_or_by_nothing(tmp_path: Path) -> None:
    """Without --config the file is searched upwards from where the process runs, and DATABASE_URL alone is a configuration too."""
    here = tmp_path / "here"
    here.mkdir()
    text = "databases:\n  - {name: one, url: postgresql://postgres@127.0.0.1:1/x, schema_dir: schema}\n"
    (here / "reconciler.yaml").write_text(text)
    environ = {"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/other"}
    loop = Loop(lambda: load(cwd=here, environ=environ))
    loop.follow(load(cwd=here, environ=environ))
    try:
        (here / "reconciler.yaml").unlink()
        loop.reload()
        assert [database.name for database in loop.databases()] == ["one"]
        (tmp_path / "reconciler.yaml").write_text(text.replace("one", "two"))
        loop.reload()
        assert [database.name for database in loop.databases()] == ["one"]
        (here / "reconciler.yaml").write_text(text.replace("one", "three"))
        loop.reload()
        assert [database.name for database in loop.databases()] == ["three"]
    finally:
        assert loop.close("the test is over")
