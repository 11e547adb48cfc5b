"""What is pushed to the right says the same: judged by the server, which reads both texts."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.embedded import Server
from reconciler.pg import connect, dollar, ident, indented, literal
from reconciler.plan.quarantine.direct import block, inside

texts = st.text(st.sampled_from("$'\"\\ab1_ \n;-/*\r\v\u2028"), max_size=24)


@pytest.fixture(scope="module")
def session(server: Server) -> psycopg.Connection:
    with connect(server.url) as opened:
        yield opened


@given(texts, texts, texts, texts)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
def test_nothing_between_quotes_changes(
    session: psycopg.Connection, one: str, two: str, three: str, name: str
) -> None:
    name = "n" + name
    sql = (
        f"select {literal(one)} as {ident(name)},\n-- it's a \"comment\" with $$\n/* and /* another */ ' */"
        f"\n  {dollar(two)},\nE'{one.replace(chr(92), chr(92) * 2).replace(chr(39), chr(39) * 2)}' as a$b$c,\n\n{literal(three)}"
    )
    cursor = session.execute(indented(sql, "      ").encode())
    assert cursor.fetchall() == [(one, two, one, three)]
    assert cursor.description is not None
    assert cursor.description[0].name == name.encode()[:63].decode()


def test_lines_outside_quotes_are_pushed_and_empty_ones_are_not() -> None:
    assert indented("a\n\nb 'c\nd' e\nf", "  ") == "  a\n\n  b 'c\nd' e\n  f"


def test_a_default_of_several_lines_keeps_its_value_in_the_blocks_of_the_quarantine(
    session: psycopg.Connection,
) -> None:
    value = "one\ntwo\n\n  three 'four'\n$$"
    lines = [
        "if true then",
        *inside(*inside(f"perform pg_catalog.set_config('my.v', {literal(value)}, false);")),
        "end if;",
    ]
    session.execute(block([], lines).encode())
    assert session.execute("select pg_catalog.current_setting('my.v')").fetchone() == (value,)
