"""What is secret is neither printed nor taken for equal without saying so."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from judge import dump

from reconciler.cli.present.script import script_of
from reconciler.embedded import Server
from reconciler.engine.diff import diff
from reconciler.errors import Stalled
from reconciler.pg import Url, connect

SERVER = """create foreign data wrapper w;
create server far foreign data wrapper w options (host 'a', password '%s');
create user mapping for public server far options (password '%s');
create subscription near connection 'host=%s password=%s' publication p with (connect = false);
"""


def load(url: Url, text: str) -> None:
    with connect(url) as session:
        for statement in text.split(";\n"):
            session.execute(statement.encode())


def test_another_password_is_named_and_not_shown(server: Server, database: Callable[..., Url]) -> None:
    old, new, same = database(), database(), database()
    load(old, SERVER % ("hush1", "hush2", "a", "hush3"))
    load(new, SERVER % ("hush1", "other2", "a", "other3"))
    load(same, SERVER % ("hush1", "hush2", "a", "hush3"))
    found = diff(old.reveal(), new.reveal(), where=server.url, prove=True).plan
    assert [line.split(",")[0] for line in found.unmodelled] == [
        "the option connection_string of subscription near",
        "the option password of user mapping of public on server far",
    ]
    assert "hush" not in repr(found) and "other" not in repr(found)
    assert diff(old.reveal(), same.reveal(), where=server.url).plan.unmodelled == ()


def test_a_script_with_a_secret_does_not_run_without_it(server: Server, database: Callable[..., Url]) -> None:
    old, new = database(), database()
    load(new, SERVER % ("hush", "hush", "a", "hush"))
    found = diff(old.reveal(), new.reveal(), where=server.url, prove=True)
    assert found.rehearsal is not None and found.rehearsal.passed, found.rehearsal
    before = dump(old)
    sql = script_of(found.plan, "up")
    assert "hush" not in sql
    with (
        pytest.raises(psycopg.errors.RaiseException, match="SERVER_FAR_PASSWORD was not filled in"),
        connect(old) as session,
    ):
        session.execute("\n".join(line for line in sql.splitlines() if not line.startswith("\\")).encode())
    assert dump(old) == before


def test_a_connection_without_a_secret_is_compared(server: Server, database: Callable[..., Url]) -> None:
    line = "create subscription near connection '%s' publication p with (connect = false)"
    old, new = database(), database()
    load(old, line % "host=a dbname=x")
    load(new, line % "host=b dbname=x")
    found = diff(old.reveal(), new.reveal(), where=server.url, prove=True)
    assert found.rehearsal is not None and found.rehearsal.passed, found.rehearsal
    assert [s.sql for s in found.plan.up] == ["alter subscription near connection 'host=b dbname=x'"]


def test_two_objects_are_not_given_one_secret(server: Server, database: Callable[..., Url]) -> None:
    new = database()
    line = "create server %s foreign data wrapper w options (password 'hush')"
    load(new, ";\n".join(["create foreign data wrapper w", line % '"far-off"', line % "far_off"]))
    with pytest.raises(Stalled, match="SERVER_FAR_OFF_PASSWORD"):
        diff("empty", new.reveal(), where=server.url)
