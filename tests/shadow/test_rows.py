"""The hash of rows: equal for the same rows, different for any other, whatever the session's settings."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from reconciler.model import ObjectId
from reconciler.pg import Url, connect
from reconciler.shadow.rows import hashed, lost

TABLE = ObjectId("table", "public", "t")


def of(connection: psycopg.Connection, *columns: str, table: str = "t") -> tuple[int, str]:
    id = ObjectId("table", "public", table)
    return hashed(connection, {id: columns})[id]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(null, 'a')", "('null', 'a')"),
        ("(null, 'a')", "('n', 'a')"),
        ("('', 'a')", "(null, 'a')"),
        ("('a,b', 'c')", "('a', 'b,c')"),
        ("('a', '1:b')", "('a,1:b', '')"),
        ("('x'), ('y')", None),
        ("('a', 'b')", "('b', 'a')"),
        ("('a', 'b'), ('c', 'd')", "('a', 'd'), ('c', 'b')"),
        ("('a', 'b'), ('a', 'b')", "('a', 'b')"),
        ("('a', 'b'), ('a', 'b')", "('c', 'd'), ('c', 'd')"),
        ("('a ', 'b')", "('a', 'b')"),
        ("('\"', 'b')", "('\"\"', 'b')"),
    ],
)
def test_other_rows_have_another_hash(connection: psycopg.Connection, first: str, second: str | None) -> None:
    connection.execute("create table t (a text, b text)")
    seen = []
    for values in (first, second):
        connection.execute("truncate t")
        if values is not None:
            columns = "(a, b)" if "," in values.split(")")[0] else "(a)"
            connection.execute(f"insert into t {columns} values {values}")
        seen.append(of(connection, "a", "b"))
    assert seen[0] != seen[1]


def test_the_order_of_rows_and_of_columns_does_not_matter(connection: psycopg.Connection) -> None:
    connection.execute("create table t (a int, b text); insert into t values (1, 'x'), (2, 'y')")
    before = of(connection, "a", "b")
    connection.execute("create table s (b text, a int); insert into s values ('y', 2), ('x', 1)")
    assert of(connection, "b", "a", table="s") == before


def test_a_composite_of_nulls_is_not_null(connection: psycopg.Connection) -> None:
    connection.execute(
        "create type pair as (a int, b int); create table t (p pair); insert into t values (null)"
    )
    without = of(connection, "p")
    connection.execute("update t set p = row(null, null)")
    assert of(connection, "p") != without


def test_a_cast_to_text_that_somebody_made_hides_nothing(connection: psycopg.Connection) -> None:
    connection.execute(
        "create type pair as (a int, b int); create function flat(pair) returns text language sql immutable as"
        " $$ select 'same' $$; create cast (pair as text) with function flat(pair);"
        " create table t (p pair); insert into t values ((1, 2))"
    )
    before = of(connection, "p")
    connection.execute("update t set p = row(3, 4)")
    assert of(connection, "p") != before


SETTINGS = (
    "datestyle to 'SQL, DMY'",
    "timezone to 'Asia/Kathmandu'",
    "extra_float_digits to -10",
    "bytea_output to escape",
    "intervalstyle to sql_standard",
    "search_path to pg_catalog, public",
    "quote_all_identifiers to on",
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_do_not_matter_and_are_left_as_they_were(database: Callable[..., Url], setting: str) -> None:
    url = database()
    with connect(url) as first:
        first.execute(
            "create table t as select now() as a, now()::timestamp as b, pi() as c, 0.1::real as d, '\\xff00'::bytea as e,"
            " interval '-1 year 2 days 3:04' as f, 'pg_class'::regclass as g, current_date as h, array[pi()] as i,"
            " tstzrange(now(), null) as j, '12.30'::money as k from (select 1) as x where false"
        )
    with connect(url) as one, connect(url) as other:
        one.execute(
            "insert into t values (now(), now(), pi(), 0.1, '\\xff00', interval '-1 year 2 days 3:04', 't', current_date,"
            " array[pi()], tstzrange(now(), null), 12.30)"
        )
        other.execute(f"set {setting}")
        name = setting.split()[0]
        before = other.execute(f"show {name}").fetchone()
        columns = tuple("abcdefghijk")
        assert of(other, *columns) == of(one, *columns)
        assert other.execute(f"show {name}").fetchone() == before


def test_the_last_digit_of_a_float_counts(connection: psycopg.Connection) -> None:
    connection.execute("set extra_float_digits to -5; create table t (a float8); insert into t values (0.1)")
    before = of(connection, "a")
    connection.execute("update t set a = 0.1 + 1e-17 * 2")
    assert of(connection, "a") != before


def test_partitioned_tables_are_read_whole_and_inheriting_ones_apart(connection: psycopg.Connection) -> None:
    connection.execute(
        "create table t (a int) partition by list (a); create table t1 partition of t for values in (1);"
        " create table p (a int); create table c () inherits (p); insert into t values (1); insert into c values (1)"
    )
    ids = [ObjectId("table", "public", name) for name in ("t", "t1", "p", "c")]
    counts = [count for count, _ in hashed(connection, dict.fromkeys(ids, ("a",))).values()]
    assert counts == [1, 0, 1, 1]


def test_what_holds_no_rows_of_its_own_is_left_out(connection: psycopg.Connection) -> None:
    connection.execute(
        "create foreign data wrapper nowhere; create server far foreign data wrapper nowhere;"
        " create foreign table t (a int) server far; create view v as select 1 as a"
    )
    asked = {ObjectId("table", "public", name): ("a",) for name in ("t", "v", "missing")}
    assert hashed(connection, asked) == {}


def test_a_large_table_needs_no_memory_for_its_rows(connection: psycopg.Connection) -> None:
    connection.execute("create table t as select n as a, 'x' as b from generate_series(1, 200000) as n")
    connection.execute("set work_mem to '64kB'; set temp_file_limit to 0")
    assert of(connection, "a", "b")[0] == 200_000


def test_a_table_without_columns_counts_its_rows(connection: psycopg.Connection) -> None:
    connection.execute("create table t (); insert into t default values; insert into t default values")
    assert of(connection)[0] == 2


def test_losses_are_said_in_sentences() -> None:
    other = ObjectId("table", "public", "u")
    before = {TABLE: (2, "x"), other: (1, "y")}
    assert lost(before, before) == ()
    assert lost(before, {TABLE: (2, "z")}) == (
        "the 2 rows of table public.t are not the same any more",
        "table public.u with 1 rows is gone",
    )
