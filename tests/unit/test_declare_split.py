"""The statement splitter: what can hide a semicolon, exact lines, and what only psql understands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.declare import read_sql, split
from reconciler.errors import Usage


def texts(sql: str) -> list[str]:
    return [statement.sql for statement in split(sql, "f.sql")]


@pytest.mark.parametrize(
    "statement",
    [
        "select 'a;b'",
        "select 'it''s; fine'",
        r"select E'it\'s; fine'",
        r"select e'\\'",
        r"select '\'",
        'select 1 as "a;b"',
        'select 1 as "a"";b"',
        "select $$a;b$$",
        "select $tag$a; $$ ; b$tag$",
        "select $1, $2",
        "select /* a; /* nested; */ still; */ 1",
        "select 1 -- a; b\n + 2",
        "create rule r as on insert to t do also (insert into a values (1); insert into b values (2))",
        "create function f() returns int begin atomic select 1; select 2; end",
        "create function f() returns int language sql\nbegin atomic\n select case when true then case 1 when 1 then 2 end end;\n select 3;\nend",
        "create procedure p()\nBEGIN ATOMIC\n insert into t values (1);\nEND",
        "do $$ begin perform 1; end $$",
        "select a[1:n] from t",
        "select 1::int",
        "call f(a := 1)",
        "select U&'d\\0061t;'",
        "select 'a'\n'b;'",
    ],
)
def test_a_semicolon_inside_is_not_an_end(statement: str) -> None:
    assert texts(f"{statement};\nselect 'next';") == [statement, "select 'next'"]


def test_lines_count_from_the_first_keyword() -> None:
    found = split("-- one\n\nselect 1;\n/* a\nb */ select\n2;;\n\nselect 3", "f.sql")
    assert [(s.sql, s.source.line) for s in found] == [("select 1", 3), ("select\n2", 5), ("select 3", 8)]
    assert found[1].at(7).line == 6


def test_comments_before_a_statement_stay_with_it() -> None:
    first, second = split("-- of one\nselect 1; -- behind one\n-- of two\nselect 2;", "f.sql")
    assert first.comments == "-- of one"
    assert second.comments == "-- of two"


def test_copy_data_belongs_to_its_statement() -> None:
    copy, after = split("copy t (a, b) from stdin;\n1\tx;y\n2\t\\N\n\\.\n\nselect 1;", "f.sql")
    assert copy.sql == "copy t (a, b) from stdin"
    assert copy.data == "1\tx;y\n2\t\\N\n"
    assert (after.sql, after.source.line, after.data) == ("select 1", 6, None)


def test_the_marks_of_pg_dump_are_ignored() -> None:
    assert texts("\\restrict aB3\nselect 1;\n\\unrestrict aB3\n") == ["select 1"]


@pytest.mark.parametrize(
    ("sql", "line", "says"),
    [
        ("select 1;\n\\i other.sql\n", 2, r"\i is a command of psql"),
        ("\\connect other\n", 1, r"\connect is a command of psql"),
        ("select 1 \\gexec\n", 1, r"\gexec is a command of psql"),
        ("select\n:name;", 2, "variables of psql"),
        ("select :'name';", 1, "variables of psql"),
        ('grant select on t to :"role";', 1, "variables of psql"),
        ("select 1;\nselect 'open;\n", 2, "never closed"),
        ('select "open;\n', 1, "never closed"),
        ("select e'open\\';\n", 1, "never closed"),
        ("select 1;\n\nselect $a$ ; $b$", 3, "has no end"),
        ("/* /* */ select 1;", 1, "never closed"),
        ("copy t from stdin;\n1\n", 1, "has no end"),
    ],
)
def test_what_cannot_be_cut_names_its_line(sql: str, line: int, says: str) -> None:
    with pytest.raises(Usage) as error:
        split(sql, "f.sql")
    assert says in str(error.value)
    assert str(error.value).startswith(f"f.sql:{line}: ")


@pytest.mark.parametrize(
    "around", ["begin; {};\ncommit;", "start transaction;\n{};\nend;", "BEGIN;{};COMMIT;", "{}"]
)
def test_a_transaction_around_the_file_is_left_out(around: str) -> None:
    assert [s.sql for s in read_sql(around.format("select 1"), "f.sql").statements] == ["select 1"]


_piece = st.sampled_from(
    [
        "'a;'",
        "''';'''",
        '"b;"',
        "$$;$$",
        "$x$;$$;$x$",
        "(;)",
        "/*;*/",
        "/* /*;*/ ; */",
        "-- ;\n",
        "e'\\';'",
        "1",
        "\n",
        "case end",
    ]
)


@given(st.lists(st.lists(_piece, min_size=1, max_size=6), min_size=1, max_size=5))
def test_any_mixture_comes_apart_where_it_was_joined(statements: list[list[str]]) -> None:
    written = ["select " + " ".join(pieces) + " x" for pieces in statements]
    found = split(";\n".join(written), "f.sql")
    assert [s.sql for s in found] == written
    offset = 0
    for statement, text in zip(found, written, strict=True):
        assert statement.source.line == ";\n".join(written)[:offset].count("\n") + 1
        offset += len(text) + 2


def test_no_statement_hides_behind_a_carriage_return_in_a_comment() -> None:
    """PostgreSQL ends the comment there and runs what follows; CRLF at the end of a line is no such thing."""
    assert texts("-- why\r\nselect 1;\r\n") == ["select 1"]
    with pytest.raises(Usage, match="a carriage return inside this comment"):
        texts("create table t (a int); -- all of it\rdrop table u;\n")
