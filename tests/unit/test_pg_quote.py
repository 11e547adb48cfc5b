"""Quoting: compared with the server's own functions, never with a copy of our rules."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.embedded import Server
from reconciler.pg import connect, dollar, ident, literal
from reconciler.pg.keywords import RESERVED

many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
# surrogates cannot be encoded, and PostgreSQL holds no NUL
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
tricky = st.text(st.sampled_from("$'\"\\ab1_ \n;-/*é"), max_size=20)


@pytest.fixture(scope="session")
def session(server: Server) -> psycopg.Connection:
    with connect(server.url) as opened:
        yield opened


def asked(session: psycopg.Connection, query: str, *arguments: str) -> str:
    # without arguments psycopg leaves a % in the query alone
    row = session.execute(query, arguments or None).fetchone()
    assert row
    answer: str = row[0]
    return answer


@pytest.mark.majors
def test_every_word_that_this_major_quotes_is_quoted(server: Server) -> None:
    with connect(server.url) as session:
        rows = session.execute(
            "select word, catcode, pg_catalog.quote_ident(word) from pg_catalog.pg_get_keywords() order by word"
        ).fetchall()
    assert len(rows) > 400
    for word, category, quoted in rows:
        assert (quoted != word) == (category != "U")
        if quoted != word:
            assert ident(word) == quoted
        elif word not in RESERVED:
            assert ident(word) == word


def test_the_newest_major_has_no_fewer_reserved_words_than_we(session: psycopg.Connection) -> None:
    if session.info.server_version // 10000 < 17:
        pytest.skip("the union over 14 to 18 is what 17 and 18 have")
    rows = session.execute(
        "select word from pg_catalog.pg_get_keywords() where catcode <> 'U' order by word"
    ).fetchall()
    assert frozenset(word for (word,) in rows) == RESERVED


@many
@given(name=texts.filter(bool) | tricky.filter(bool))
def test_names_are_quoted_as_the_server_does(session: psycopg.Connection, name: str) -> None:
    if name not in RESERVED:
        assert ident(name) == asked(session, "select pg_catalog.quote_ident(%s)", name)


@many
@given(text=texts | tricky)
def test_texts_are_quoted_as_the_server_does(session: psycopg.Connection, text: str) -> None:
    assert literal(text) == asked(session, "select pg_catalog.quote_literal(%s)", text)


@many
@given(text=tricky | texts)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_text_means_itself_under_either_setting(
    session: psycopg.Connection, conforming: str, text: str
) -> None:
    session.execute("select pg_catalog.set_config('standard_conforming_strings', %s, false)", (conforming,))
    session.execute("set escape_string_warning = off")
    try:
        assert asked(session, f"select {literal(text)}::pg_catalog.text") == text
    finally:
        session.execute("reset standard_conforming_strings")


@many
@given(body=tricky | texts, tag=st.sampled_from(["", "a", "b1", "body"]))
def test_a_dollar_quoted_body_means_itself(session: psycopg.Connection, body: str, tag: str) -> None:
    assert asked(session, f"select {dollar(body, tag)}::pg_catalog.text") == body


@pytest.mark.parametrize(
    ("body", "tag", "expected"),
    [
        ("begin end", "", "$$begin end$$"),
        ("begin end", "function", "$function$begin end$function$"),
        ("costs 5$", "", "$body1$costs 5$$body1$"),
        ("a $$ b", "", "$body1$a $$ b$body1$"),
        ("a $x$ b $x1$", "x", "$x2$a $x$ b $x1$$x2$"),
        ("a $x", "x", "$x1$a $x$x1$"),
    ],
)
def test_the_tag_is_the_first_that_does_not_occur(body: str, tag: str, expected: str) -> None:
    assert dollar(body, tag) == expected


def test_parts_are_joined_and_empty_ones_left_out() -> None:
    assert ident("public", "Order Lines") == 'public."Order Lines"'
    assert ident("", "plpgsql") == "plpgsql"
    assert ident('a"b') == '"a""b"'
    assert ident("select", "user", "name") == '"select"."user".name'


@pytest.mark.parametrize(
    "call", [lambda: ident(""), lambda: ident("a\0b"), lambda: literal("\0"), lambda: dollar("\0")]
)
def test_what_postgresql_cannot_hold_is_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


def test_a_tag_that_is_no_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="not a dollar-quote tag"):
        dollar("x", "1a")
