"""Secrets in the options of foreign objects: filled in where they belong, nowhere else."""

from __future__ import annotations

import psycopg
import pytest

from reconciler.errors import Stalled
from reconciler.model import Statement, Step
from reconciler.plan.unfilled import refusing
from reconciler.run import run_step
from reconciler.run.placeholders import from_environment, placeholders, withheld

MAPPING = (
    "create user mapping if not exists for app server s options (password '${S_PASSWORD}', \"user\" 'u')"
)
GUARDED = "do $$\nbegin\n  if not exists (select where false) then\n    create server s foreign data wrapper w options (key '${KEY}');\n  end if;\nend\n$$"


def test_a_value_is_written_in_the_place_of_its_name() -> None:
    sent = from_environment({"S_PASSWORD": "plain"})(MAPPING)
    assert sent == MAPPING.replace("'${S_PASSWORD}'", "E'plain'")


@pytest.mark.parametrize(
    "sql",
    [
        "create or replace function f() returns text language sql as $$ select '${HOME}' $$",
        "comment on server s is '${HOME}'",
        "update t set note = '${HOME}'",
        "do $$ begin perform '${HOME}'; end $$",
        "create server s foreign data wrapper w options (host '${lower}', path 'a${HOME}b')",
    ],
)
def test_what_only_looks_like_one_is_left_alone(sql: str) -> None:
    assert placeholders(sql) == ()
    assert from_environment({"HOME": "/root"})(sql) == sql == withheld(sql)


@pytest.mark.parametrize(
    "value", ["it's", "a\\b", "$$; drop table t; --", "x'); drop server s; --", "${S_PASSWORD}"]
)
@pytest.mark.parametrize(
    "template", ["create server s foreign data wrapper w options (key '${KEY}')", GUARDED]
)
def test_no_value_can_leave_its_quotes(connection: psycopg.Connection, template: str, value: str) -> None:
    connection.execute("create foreign data wrapper w")
    connection.execute(from_environment({"KEY": value})(template))
    row = connection.execute("select srvoptions from pg_catalog.pg_foreign_server").fetchone()
    assert row is not None and row[0] == [f"key={value}"]


def test_a_missing_value_stops_with_its_name() -> None:
    with pytest.raises(Stalled, match="S_PASSWORD") as raised:
        from_environment({"OTHER": "hidden"})(MAPPING)
    assert "hidden" not in str(raised.value)


def test_a_scratch_database_gets_a_stand_in_that_any_object_takes(connection: psycopg.Connection) -> None:
    connection.execute(
        withheld(
            "create subscription s connection '${S}' publication p with (connect = false, slot_name = none)"
        )
    )
    row = connection.execute("select subconninfo from pg_catalog.pg_subscription").fetchone()
    connection.execute("drop subscription s")
    assert row == ("application_name=withheld",)


@pytest.mark.parametrize("transactional", [True, False])
def test_an_error_does_not_quote_what_was_filled_in(
    connection: psycopg.Connection, transactional: bool
) -> None:
    """libpq names the word it stumbles over, and PL/pgSQL the whole statement."""
    sql = "create subscription s connection '${S}' publication p with (connect = false, slot_name = none)"
    wanted = Statement(sql, "test", transactional=transactional)
    step = Step(1, (refusing(wanted) if transactional else wanted,))
    with pytest.raises(Stalled, match="42601") as raised:
        run_step(connection, step, resolve=from_environment({"S": "host=h password=hush1 hush2"}))
    assert "hush" not in f"{raised.value} {raised.value.__cause__}"
